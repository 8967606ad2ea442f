import { createHmac } from 'node:crypto';
import type { Identifier } from '../../contract/identifiers.ts';
import { systemClock } from '../../platform/clock.ts';
import type { ConnectorContext, EarlierJob, EraseContext, ExportContext, Json, RequestFacts, Worklist } from '../connector.ts';
import { createGuardedFetch } from '../guarded-fetch.ts';
import { createMemoryWorklist } from './memory-worklist.ts';

/** What a test task is about and what is allowed to it. */
export interface TestContextOptions {
  /** As `connector.egress(config)` answers it. */
  readonly egress: readonly string[];
  readonly identifier: Identifier;
  /** All of the person's; the task's own alone when absent. */
  readonly identifiers?: readonly Identifier[];
  /** Those that are sure to be the person's; all of them when absent. */
  readonly proven?: readonly Identifier[];
  readonly action?: 'erase' | 'anonymise';
  readonly seenHere?: boolean;
  /** What differs from a request under GDPR that an operator verified. */
  readonly request?: Partial<RequestFacts>;
  /** None when absent. */
  readonly earlierJobs?: readonly EarlierJob[];
  /** What idempotency keys are derived from; two tasks must differ in it. */
  readonly taskId?: string;
  /** For one call; 5,000 when absent. */
  readonly timeoutMs?: number;
  /** The start of the test's clock; the machine's when absent. `advance` moves it. */
  readonly now?: () => number;
  /** Puts itself around the guarded fetch, to record, break or lose calls. */
  readonly wrapFetch?: (guarded: typeof globalThis.fetch) => typeof globalThis.fetch;
  readonly shouldYield?: () => boolean;
}

/** One task's surroundings in a test: they outlive the simulated deaths of the process, as the database does. */
export interface TestContext {
  /** For `check` and `locate`. */
  readonly plain: ConnectorContext;
  /** For one call of `erase` or `confirm`. */
  readonly step: (step: { readonly cursor: Json; readonly attempt: number }) => EraseContext;
  /** For one call of `export`. */
  readonly exporting: (cursor?: Json) => ExportContext;
  readonly worklist: Worklist;
  /** The last cursor given to `save`, if any since the last `clearSaved`. */
  readonly saved: () => { readonly cursor: Json } | undefined;
  readonly clearSaved: () => void;
  /** Moves the task's clock forward. */
  readonly advance: (ms: number) => void;
}

/** Makes the surroundings of one erasing task, with the real guarded fetch, an in-memory worklist and a clock that can be moved. */
export function createTestContext(options: TestContextOptions): TestContext {
  const controller = new AbortController();
  let skewMs = 0;
  let saved: { readonly cursor: Json } | undefined;
  const base = options.now ?? systemClock.now;
  const now = (): number => base() + skewMs;
  const receivedAt = now();
  const guarded = createGuardedFetch({
    egress: options.egress,
    timeoutMs: options.timeoutMs ?? 5000,
    signal: controller.signal,
    acquire: async () => undefined,
  });
  const plain: ConnectorContext = {
    fetch: options.wrapFetch?.(guarded) ?? guarded,
    now,
    shouldYield: options.shouldYield ?? (() => false),
    signal: controller.signal,
  };
  const worklist = createMemoryWorklist(now);
  const taskId = options.taskId ?? 'task';
  const identifiers = options.identifiers ?? [options.identifier];
  const about = {
    request: { id: 'req_conformance', source: 'conformance', law: 'gdpr', verifiedBy: 'operator', ...options.request },
    identifier: options.identifier,
    identifiers,
    proven: options.proven ?? identifiers,
  };
  return {
    plain,
    worklist,
    step: ({ cursor, attempt }) => ({
      ...plain,
      ...about,
      taskId: `task_${taskId}`,
      earlierJobs: options.earlierJobs ?? [],
      action: options.action ?? 'erase',
      seenHere: options.seenHere ?? false,
      attempt,
      receivedAt,
      previous: null,
      // As it comes back from the database.
      cursor: JSON.parse(JSON.stringify(cursor)) as Json,
      save: async (next) => {
        saved = { cursor: JSON.parse(JSON.stringify(next)) as Json };
      },
      worklist,
      idempotencyKey: (part, generation = 1) => createHmac('sha256', 'conformance').update(JSON.stringify([taskId, part, generation])).digest('hex'),
    }),
    exporting: (cursor = null) => ({ ...plain, ...about, cursor }),
    saved: () => saved,
    clearSaved: () => {
      saved = undefined;
    },
    advance: (ms) => {
      skewMs += ms;
    },
  };
}
