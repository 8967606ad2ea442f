import { runSimulationRound } from './index.ts';

/** Plays the rounds whose seeds its parent sends, and sends back what they came to. A round that throws ends it, and so does the end of its parent. */
process.on('message', (seed) => {
  void runSimulationRound(String(seed)).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(1));
