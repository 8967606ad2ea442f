import { plant } from './plant.ts';

// Whoever comes back after losing a task records what it found all the same.
plant('modules/orchestration/record-step.ts', 'if (task === undefined || task.epoch !== claimed.epoch) return;', 'if (task === undefined) return;');
