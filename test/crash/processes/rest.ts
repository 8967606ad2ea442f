import { setTimeout as pause } from 'node:timers/promises';
import type { SimulatorCore } from '../../../src/sandbox/simulator.ts';
import { call } from '../../support/quittance.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Standing } from '../standing.ts';
import type { ProcessMode } from './incidents.ts';
import type { Slot } from './slot.ts';

/** How fast time passes while things come to rest: now and then the clocks go ahead by so much, so that waits of minutes take seconds. */
const lookMs = 250;
const hurryEveryMs = 1500;
const aheadMs = 15_000;
/** While nothing changes they go faster: a call that failed often is tried again after an hour at the most. */
const idleMs = 8000;
const aheadIdleMs = 300_000;
/** When nothing at all has changed for so long, nothing ever will: hours have passed by the clocks, and leases of those that died, which go by the database's, are over. */
const stillMs = { embedded: 60_000, postgres: 200_000 } as const;
/** How often somebody looks at what waits for a person. */
const visitsMax = 3;

type Items = readonly Readonly<Record<string, string | null>>[];

/** Where an embedded installation stands, as far as its API tells. */
export async function standingOverHttp(url: string, ids: readonly string[]): Promise<Standing> {
  const underWay: string[] = [];
  let changes = 0;
  const manual = await openManualTasks(url);
  const waiting = new Set(manual.map((each) => each['request_id']));
  for (const id of ids) {
    const request = (await call(url, `/v1/privacy-requests/${id}`)).body as unknown as { readonly status: string; readonly duplicate_of?: string | null };
    const timeline = (await call(url, `/v1/privacy-requests/${id}/timeline`)).body as unknown as { readonly items: readonly { readonly type: string; readonly logged: boolean }[] };
    changes += timeline.items.length;
    if ((request.status === 'escalated' || request.status === 'awaiting_approval') && waiting.has(id)) continue;
    if (request.status === 'verified' && waiting.size > 0) continue;
    const isOver = timeline.items.every((each) => each.logged) && timeline.items.some((each) => each.type === 'request.shredded');
    if (!isOver) underWay.push(`request ${id} ${request.status}`);
  }
  return { underWay, withPeople: manual.length, changes };
}

async function openManualTasks(url: string): Promise<Items> {
  const listed = await call(url, '/v1/manual-tasks?limit=200');
  return ((listed.body as unknown as { readonly items?: Items }).items ?? []).filter((each) => each['settled_at'] === null || each['settled_at'] === undefined);
}

/** Does what an operator does with what waits: mostly tries it again, and at the last visit leaves it out or leaves it lying. */
async function visit(url: string, random: SeededRandom, isLast: boolean): Promise<void> {
  for (const each of await openManualTasks(url)) {
    const again = isLast ? (['skipped_by_operator', 'done_manually', undefined] as const) : (['retry', 'retry', 'retry', 'skipped_by_operator', undefined] as const);
    const how = each['task_id'] === null ? (isLast ? undefined : 'retry') : random.pick(again);
    if (how === undefined) continue;
    await call(url, `/v1/manual-tasks/${String(each['id'])}/settle`, { method: 'POST', body: JSON.stringify({ how, ...(how === 'retry' ? {} : { reason: 'test_system' }) }) });
  }
}

/**
 * Waits until nothing is under way any more, with an operator at the desk; answers what never came to rest. Time passes fast meanwhile: the
 * clocks of all processes and of the vendors go ahead together. Gives up when nothing changes any more, or at `endsAt`: how long anything
 * takes is the machine's matter.
 */
export async function comeToRest(
  mode: ProcessMode,
  slots: readonly Slot[],
  vendors: readonly Pick<SimulatorCore, 'advance'>[],
  look: () => Promise<Standing>,
  url: () => string | undefined,
  options: { readonly random: SeededRandom; readonly endsAt: number; readonly clock: { offsetMs: number } },
): Promise<readonly string[]> {
  const { random, endsAt, clock } = options;
  let visits = 0;
  let last: Standing = { underWay: ['nothing was ever seen'], withPeople: 0, changes: 0 };
  let changedAt = Date.now();
  let hurriedAt = 0;
  while (Date.now() < endsAt && Date.now() - changedAt < stillMs[mode]) {
    if (Date.now() - hurriedAt > hurryEveryMs) {
      hurriedAt = Date.now();
      const stepMs = hurriedAt - changedAt > idleMs ? aheadIdleMs : aheadMs;
      clock.offsetMs += stepMs;
      for (const vendor of vendors) vendor.advance(stepMs);
      // One of them looks for what is due, the second where there are several: a worker. Many looks are many jobs.
      for (const [index, slot] of slots.entries()) slot.tell({ offsetMs: clock.offsetMs, ...(index === Math.min(1, slots.length - 1) ? { sweep: true } : {}) });
    }
    await pause(lookMs);
    const standing = await look().catch(() => undefined);
    const base = url();
    if (standing === undefined || base === undefined) continue;
    if (standing.changes !== last.changes || standing.underWay.length !== last.underWay.length) changedAt = Date.now();
    last = standing;
    if (last.underWay.length > 0) continue;
    if (standing.withPeople === 0 || visits === visitsMax) return [];
    visits += 1;
    await visit(base, random, visits === visitsMax).catch(() => undefined);
  }
  return last.underWay;
}
