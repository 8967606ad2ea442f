import { plant } from './plant.ts';

// The result of a step is recorded, and the call made after it: what dies in between has a good result and no effect.
plant(
  'modules/orchestration/run-task.ts',
  'const outcome = await call(deps, claimed, vault);',
  `if (claimed.step === 'act') await recordResult(deps, claimed, vault, { step: 'act', value: { state: 'done', outcome: 'erased', counts: {}, residue: [] } });
    else await recordResult(deps, claimed, vault, { step: 'confirm', value: { state: 'absent' } });
    const outcome = await call(deps, claimed, vault);`,
);
