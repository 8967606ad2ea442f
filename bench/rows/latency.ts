import { playScript } from '../bare.ts';
import { inTurns, rowOf, sized, type BenchRow } from '../measure.ts';
import { plantPeople, type Planted } from '../people.ts';
import { startPostgres } from '../postgres.ts';
import { makeInstallation } from '../server.ts';
import { sendRequest, untilClosed } from '../settle.ts';
import { startLearntVendors } from './settled.ts';

const warmUp = 5;

/** How long one request takes when nothing else is to be done, from the 202 to the last system settled. */
const latency: BenchRow = {
  name: 'latency',
  run: async (context) => {
    const { vendors, script } = await startLearntVendors();
    const server = await startPostgres();
    const installation = makeInstallation(vendors, await server.createDatabases());
    try {
      const { url } = await installation.start();
      const one = async (): Promise<Planted> => {
        const [person] = await plantPeople(vendors, 1);
        if (person === undefined) throw new Error('Nobody was planted');
        return person;
      };
      const settle = async (): Promise<number> => {
        const { id, at } = await sendRequest(url, await one());
        return (await untilClosed(url, [id])) - at;
      };
      const play = async (): Promise<number> => {
        const person = await one();
        const start = performance.now();
        await playScript(script, person);
        return performance.now() - start;
      };
      for (let each = 0; each < warmUp; each += 1) {
        await settle();
        await play();
      }
      const runs = sized(context, 15, 3);
      const pairs = await inTurns(context, latency.name, runs, { measured: settle, reference: play });
      const head = {
        name: latency.name,
        what: 'one request on an idle machine, PostgreSQL with fsync, one process: from the 202 to all systems settled and the request closed',
        against: 'the slowest path of vendor calls through the plan, made by the bare script',
        unit: 'ms',
        size: 1,
        goal: { how: 'at_most', factor: 1.3, plus: 50 },
      } as const;
      return [rowOf(head, pairs)];
    } finally {
      await installation.remove();
      await server.stop();
      await vendors.stop();
    }
  },
};

/** Latency of a single request. */
export const latencyRows: readonly BenchRow[] = [latency];
