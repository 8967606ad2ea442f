import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { taskRun } from '../../src/modules/orchestration/index.ts';
import { startJobs, type Jobs } from '../../src/platform/jobs/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { call, eventually } from '../support/quittance.ts';
import { allAreProven, effects, effectsOf, plant, request, useInstallation, watchArrivals, watchConcurrency, type ServerProcess } from '../support/processes.ts';

const callsPerSecond = 25;
/** What a call may be late on its way from the limit to the simulator, on a machine that is busy. */
const latenessSeconds = 0.5;

const installation = useInstallation({ changes: { connections: { stripe: { concurrency: 2 }, twilio: { calls_per_second: callsPerSecond } } } });
let url: string;
let first: ServerProcess;
let jobs: Jobs;

beforeAll(async () => {
  const { start, main } = installation();
  const [http, worker] = await Promise.all([start('http'), start('worker'), start('scheduler')]);
  url = http.url;
  first = worker;
  jobs = await startJobs(main, [taskRun], createLog('silent'), { schedules: false, supervises: false });
});
afterAll(() => jobs.stop(1000));

interface SegmentTask {
  readonly id: string;
  readonly error_code: string | null;
  readonly looked_at: boolean;
}

/** The tasks on Segment that are not through, and whether their next look is in the future. */
const openSegmentTasks = async (): Promise<readonly SegmentTask[]> =>
  (await sql<SegmentTask>`SELECT id, error_code, wake_at > now() + interval '5 seconds' AS looked_at FROM task WHERE connection = 'segment' AND status IN ('waiting', 'running')`.execute(installation().main.read())).rows;

/** Has every open task on Segment looked at now, by whichever worker comes. */
async function lookAtAll(): Promise<void> {
  const { main } = installation();
  await sql`UPDATE task SET wake_at = now() WHERE connection = 'segment' AND status NOT IN ('settled', 'manual', 'confirming')`.execute(main.read());
  for (const { id } of await openSegmentTasks()) await jobs.poke(taskRun, { task_id: id });
}

const calls = (): number => installation().sandbox.segment.calls.length;

// The first chapter leaves three workers for the second.
describe('limits of a connection', () => {
  test('what one worker learned of a vendor that is down stops the others; one call at a time probes it, and work goes on when it is back', { timeout: 240_000 }, async () => {
    const { sandbox, main, start } = installation();
    const state = async (): Promise<string | undefined> => {
      const items = (await call(url, '/v1/connections')).body['items'] as unknown as { name: string; state: string }[];
      return items.find((each) => each.name === 'segment')?.state;
    };
    const people = plant(installation(), [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    // Held back until everybody is found and planned, so that only the tasks meet the failing vendor.
    await call(url, '/v1/connections/segment/suspend', { method: 'POST' });
    const ids = await request(url, people);
    await eventually('A task for each person', async () => ((await openSegmentTasks()).length === people.length ? true : undefined), 60_000);
    await eventually('A look at every task', async () => ((await openSegmentTasks()).every((each) => each.looked_at) ? true : undefined), 60_000);
    sandbox.segment.fault({ kind: 'status', status: 503, times: 1000 });
    const before = calls();
    await call(url, '/v1/connections/segment/resume', { method: 'POST' });
    await lookAtAll();
    await eventually('The opening of the circuit', async () => ((await state()) === 'circuit_open' ? true : undefined), 60_000);
    first.kill('SIGTERM');
    expect(await first.ended).toEqual({ code: 0, signal: null });
    const made = calls();
    expect(made - before).toBeGreaterThanOrEqual(8);
    await Promise.all([start('worker'), start('worker'), start('worker')]);
    const refused = async (): Promise<void> => {
      await lookAtAll();
      await eventually('A look at every task', async () => ((await openSegmentTasks()).every((each) => each.looked_at) ? true : undefined), 60_000);
    };
    await refused();
    expect(calls(), 'nobody calls while the circuit is open').toBe(made);

    // The time is over: one task probes, fails, and shuts the circuit for the others again.
    await sql`UPDATE connection_state SET open_until = clock_timestamp() WHERE name = 'segment'`.execute(main.read());
    await refused();
    expect(calls(), 'one probe').toBe(made + 1);

    // The vendor is back: one task probes, and the others follow what it found.
    sandbox.segment.clearFaults();
    await sql`UPDATE connection_state SET open_until = clock_timestamp() WHERE name = 'segment'`.execute(main.read());
    await lookAtAll();
    await allAreProven(installation(), url, ids, 100_000);
    expect(effects(installation())).toEqual(effectsOf(10));
    expect(await state()).toBe('ready');
  });

  test('over three workers no more of its tasks are under way at once than its concurrency, and no more calls are made than its calls per second', { timeout: 240_000 }, async () => {
    const { sandbox } = installation();
    const people = plant(installation(), [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    sandbox.stripe.fault({ kind: 'delay', method: 'DELETE', path: '^/v1/customers/[^/]+$', delayMs: 1500, times: 100 });
    const mostAtOnce = watchConcurrency(sandbox.stripe, (method, path) => method === 'DELETE' && /^\/v1\/customers\/[^/]+$/u.test(path));
    const arrivals = watchArrivals(sandbox.twilio);
    await allAreProven(installation(), url, await request(url, people), 200_000);
    expect(effects(installation())).toEqual(effectsOf(10));
    expect(mostAtOnce(), 'both places were used, and no third one').toBe(2);
    expect(arrivals.length).toBeGreaterThan(4 * callsPerSecond);
    // The limit lets its burst through, which is a second's worth, and then so many a second: of any run of calls.
    for (const [begin, from] of arrivals.entries()) {
      const worst = arrivals.findIndex((to, last) => last >= begin && last - begin + 1 > callsPerSecond * (1 + (to - from) / 1000 + latenessSeconds));
      expect(worst, `calls ${begin} to ${worst} of ${arrivals.length}`).toBe(-1);
    }
  });
});
