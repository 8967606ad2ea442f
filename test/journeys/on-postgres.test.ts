import { beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/quittance.ts';
import { allAreProven, complaints, effects, effectsOf, heldTasks, plant, request, useInstallation, writers, type ServerProcess } from '../support/processes.ts';

const installation = useInstallation({ own: true, changes: { connections: { twilio: { timeout_seconds: 20 } } } });
let url: string;
let workerOne: ServerProcess;
let workerTwo: ServerProcess;

beforeAll(async () => {
  const { start } = installation();
  // All at once, on empty databases: nobody has to migrate first.
  const [http, one, two] = await Promise.all([start('http'), start('worker'), start('worker'), start('scheduler')]);
  url = http.url;
  workerOne = one;
  workerTwo = two;
});

// One story in three chapters, on the same processes.
describe('several processes on PostgreSQL', () => {
  test('six people at once are each erased once, proven, and forgotten, and one worker alone writes the log', { timeout: 60_000 }, async () => {
    const people = plant(installation(), [10, 11, 12, 13, 14, 15]);
    const ids = await request(url, people);
    await allAreProven(installation(), url, ids, 50_000);
    expect(effects(installation())).toEqual(effectsOf(6));
    expect(await writers(installation())).toEqual({ holding: 1, claims: 1 });
    for (const each of installation().processes) expect(complaints(each)).toEqual([]);
    const said = installation().processes.map((each) => each.output()).join('');
    for (const { email, phone } of people) expect([said.includes(email), said.includes(phone)]).toEqual([false, false]);
  });

  test('a worker that is told to stop under load gives back what it holds, ends with 0, and the other goes on', { timeout: 60_000 }, async () => {
    const people = plant(installation(), [20, 21, 22, 23]);
    installation().sandbox.twilio.fault({ kind: 'delay', method: 'DELETE', delayMs: 300, times: 20 });
    const ids = await request(url, people);
    await eventually('The first deletion', async () => (installation().sandbox.twilio.effects.length > 0 ? true : undefined));
    workerOne.kill('SIGTERM');
    expect(await workerOne.ended).toEqual({ code: 0, signal: null });
    expect(workerOne.output()).toContain('"msg":"stopped"');
    expect(complaints(workerOne)).toEqual([]);
    await allAreProven(installation(), url, ids, 50_000);
    expect(effects(installation())).toEqual(effectsOf(4));
    expect((await writers(installation())).holding).toBe(1);
  });

  test('a worker killed in the middle of its calls is replaced by another within its lease, and nothing is done twice', { timeout: 120_000 }, async () => {
    const people = plant(installation(), [30, 31, 32]);
    const before = await writers(installation());
    installation().sandbox.twilio.fault({ kind: 'delay', method: 'DELETE', delayMs: 12_000, times: 100 });
    const ids = await request(url, people);
    await eventually('The first deletion', async () => (installation().sandbox.twilio.effects.length > 0 ? true : undefined));
    const held = await heldTasks(installation(), 'twilio');
    const other = await installation().start('worker');
    // What was held before the other one was there is the first one's still: no step was started anew.
    const stillHeld = await heldTasks(installation(), 'twilio');
    expect(stillHeld.filter((each) => held.some((earlier) => earlier.id === each.id && earlier.epoch === each.epoch))).not.toEqual([]);
    workerTwo.kill('SIGKILL');
    expect((await workerTwo.ended).signal).toBe('SIGKILL');
    installation().sandbox.twilio.clearFaults();
    const killedAt = Date.now();
    await allAreProven(installation(), url, ids, 100_000);
    expect(Date.now() - killedAt, 'a lease, a look at it, and the rest of the work').toBeLessThan(60_000);
    expect(effects(installation())).toEqual(effectsOf(3));
    expect(await writers(installation())).toEqual({ holding: 1, claims: before.claims + 1 });
    expect(complaints(other)).toEqual([]);
  });
});
