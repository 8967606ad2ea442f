import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCode } from '../../contract/errors.ts';
import { backoffMs } from '../../platform/backoff.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SourceConfig } from '../../platform/config/document.ts';
import { isFailure, type Failure } from '../../platform/failure.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { AcceptRequest } from './accept-request.ts';
import type { Refusals } from './consume-refusals.ts';
import { openEnvelope, type BusMessage } from './event-envelope.ts';

/** A message as it was read from a bus. */
export interface BusRecord extends BusMessage {
  /** Where it is on its bus, in a form that names nobody. */
  readonly place: string;
  /** Messages of one lane are taken one after the other, in the order in which they were read. */
  readonly lane: string;
  /** True where the bus has a place of its own for what nobody can take. */
  readonly hasDeadLetters: boolean;
}

/** What a look at a bus found. */
export interface BusReading {
  readonly records: readonly BusRecord[];
  /** What kept a part of the bus from being read, beside what the rest of it gave; undefined where nothing did. */
  readonly failure: Failure | undefined;
}

/** Reads a bus. Its failures are `Failure`s. */
export interface BusReader {
  /** True where what is not taken keeps everything behind it from being read. */
  readonly isOrdered: boolean;
  /** The next messages that were not settled; waits a while for one. Nothing while another process reads. */
  readonly read: (signal: AbortSignal) => Promise<BusReading>;
  /** Has the bus give these to nobody any more. */
  readonly settle: (records: readonly BusRecord[]) => Promise<void>;
  /** Gives these back to the bus at once. */
  readonly giveBack: (records: readonly BusRecord[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What consuming needs. */
export interface ConsumeDeps {
  readonly source: string;
  readonly config: Pick<SourceConfig, 'verify' | 'right' | 'jurisdiction'>;
  /** Lanes taken at once. */
  readonly inFlight: number;
  readonly reader: BusReader;
  readonly acceptRequest: AcceptRequest;
  readonly refusals: Pick<Refusals, 'refuse' | 'unreadable'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Waits, or less when the signal says so; the machine's timer when absent. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A bus that is being read. */
export interface Consuming {
  /** Reads nothing more, finishes what is being accepted, and lets go of the bus. */
  readonly stop: () => Promise<void>;
}

/** After a look that found nothing. */
const idleMs = 1000;
/** The longest wait after a failure, so that a bus that is back is read soon. */
const waitMsMax = 60_000;
/** For how long a bus, or what comes from it, may fail before the officer hears of it: a deletion request waits there. */
const tellAfterMs = 10 * 60_000;
/** How often a bug of ours may stop a message that others wait behind. After this it is left where it is, noted. */
const bugsMax = 8;

type Taken = 'settled' | 'given_back' | 'later';

async function sleepUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Takes what was read. */
interface Taker {
  /** Takes each lane up to the first message that has to wait; answers whether there was none. */
  readonly takeAll: (records: readonly BusRecord[]) => Promise<boolean>;
  /** What the last message that has to wait was held up by. */
  readonly heldUpBy: () => ErrorCode;
}

function createTaker(deps: ConsumeDeps, signal: AbortSignal): Taker {
  const { source, reader, refusals } = deps;
  const bugs = new Map<string, number>();
  let heldUpBy: ErrorCode = 'INTERNAL';

  const refuse = async (record: BusRecord, code: ErrorCode): Promise<Taken> => {
    await refusals.refuse(source, record.place, code);
    if (!record.hasDeadLetters) return 'settled';
    await reader.giveBack([record]);
    return 'given_back';
  };

  const take = async (record: BusRecord): Promise<Taken> => {
    try {
      const { verify, right, jurisdiction } = deps.config;
      await deps.acceptRequest({ source, ...openEnvelope(record), verify, right, jurisdiction });
      bugs.delete(record.place);
      return 'settled';
    } catch (error) {
      if (isFailure(error) && error.retry === 'never') return refuse(record, error.code);
      deps.log.warn({ source, place: record.place, err: error }, 'a message of a bus could not be accepted');
      heldUpBy = isFailure(error) ? error.code : 'INTERNAL';
      if (isFailure(error) || !reader.isOrdered) return 'later';
      const count = (bugs.get(record.place) ?? 0) + 1;
      bugs.set(record.place, count);
      return count < bugsMax ? 'later' : refuse(record, 'INTERNAL');
    }
  };

  const takeLane = async (lane: readonly BusRecord[]): Promise<boolean> => {
    const done: BusRecord[] = [];
    let isWhole = true;
    for (const record of lane) {
      if (signal.aborted) break;
      const taken = await take(record);
      if (taken === 'settled') done.push(record);
      isWhole &&= taken !== 'later';
      if (taken !== 'settled') break;
    }
    if (done.length > 0) await reader.settle(done);
    return isWhole;
  };

  const takeAll = async (records: readonly BusRecord[]): Promise<boolean> => {
    const lanes = [...Map.groupBy(records, ({ lane }) => lane).values()];
    let isWhole = true;
    const worker = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined && !signal.aborted; lane = lanes.shift()) {
        const isLaneWhole = await takeLane(lane);
        isWhole &&= isLaneWhole;
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: Math.min(deps.inFlight, lanes.length) }, worker));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return isWhole;
  };

  return { takeAll, heldUpBy: () => heldUpBy };
}

/**
 * Reads a bus until it is stopped: each message is accepted in one transaction, and only then settled at the bus. Who dies in between reads it again, and it is known by its event's id: so it opens one
 * request, however often it comes. What can never be accepted is noted by its place and a code, and settled, so that nothing waits behind it. Everything else stays where it is and is
 * tried again, later and later.
 */
export function startConsuming(deps: ConsumeDeps): Consuming {
  const { source, reader, refusals } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = deps.pause ?? sleepUnlessAborted;
  const taker = createTaker(deps, signal);

  const loop = async (): Promise<void> => {
    let failures = 0;
    let failingSince: number | undefined;
    const failed = async (codes: readonly ErrorCode[]): Promise<void> => {
      failures += 1;
      failingSince ??= deps.clock.now();
      if (deps.clock.now() - failingSince < tellAfterMs) return;
      // Where the database is what fails, nobody can be told by it: the log has it.
      for (const code of codes) await refusals.unreadable(source, code).catch((thrown: unknown) => deps.log.error({ source, err: thrown }, 'the officer could not be told'));
    };
    while (!signal.aborted) {
      let waitMs = 0;
      let isMoving = false;
      try {
        const { records, failure } = await reader.read(signal);
        if (failure !== undefined) deps.log.error({ source, err: failure }, 'a part of a bus could not be read');
        const isWhole = await taker.takeAll(records);
        const codes = [...(isWhole ? [] : [taker.heldUpBy()]), ...(failure === undefined ? [] : [failure.code])];
        if (codes.length > 0) {
          await failed(codes);
        } else {
          failures = 0;
          failingSince = undefined;
        }
        isMoving = isWhole && records.length > 0;
        if (records.length === 0) waitMs = idleMs;
      } catch (error) {
        if (signal.aborted) break;
        deps.log.error({ source, err: error }, 'a bus could not be read');
        await failed([isFailure(error) ? error.code : 'INTERNAL']);
      }
      // What can be read is not slowed down for long by what cannot.
      if (failures > 0) waitMs = isMoving ? idleMs : Math.min(waitMsMax, Math.max(idleMs, backoffMs(failures, deps.random.fraction())));
      if (waitMs > 0) await pause(waitMs, signal);
    }
  };
  const running = loop();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      await reader.close();
    },
  };
}
