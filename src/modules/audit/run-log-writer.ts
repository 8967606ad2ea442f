import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { LogWriter } from './log-writer.ts';

/** What the writer's loop needs. */
export interface RunLogWriterDeps {
  readonly writer: LogWriter;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a row waits for a signed head, in milliseconds. */
  readonly checkpointMs: number;
  /** Alerts when the log was not verified for too long; called once a day by the process that writes. */
  readonly checkOverdue: () => Promise<boolean>;
  /** Hears of a failure once, and again only after a success in between: the log cannot be written or signed. */
  readonly onFailure: (error: unknown) => Promise<void>;
}

/** A running loop. */
export interface RunningLogWriter {
  /** Looks at once, instead of at the next turn. */
  readonly wake: () => void;
  /** Stops after appending and signing what is there, and lets another process write. */
  readonly stop: () => Promise<void>;
}

/** Between looks at the outbox: a look costs one index probe, and an entry's delay is no one's wait but the certificate's. */
const lookMs = 100;
/** Rows without a signed head after which one is signed at once. */
const unsignedRowsMax = 1000;
/** Between looks at whether the keys change, when nothing is signed. */
const keyLookMs = 60_000;
/** Between looks at whether the verification has run. */
const overdueLookMs = 86_400_000;
/** Between tries while the log cannot be written. */
const failedLookMs = 2000;

/** Keeps the log written: appends what was recorded, signs heads. On a process that is not the writer it only tries to become it. */
export function runLogWriter(deps: RunLogWriterDeps): RunningLogWriter {
  let stopping = false;
  /** Whether somebody heard of the failure that lasts. */
  let isKnown = false;
  let lastSignedAt = 0;
  let overdueLookAt = 0;
  let interrupt: (() => void) | undefined;
  const turn = async (): Promise<void> => {
    const appended = await deps.writer.flush();
    if (appended === undefined) return;
    const now = deps.clock.now();
    if (now >= overdueLookAt) {
      overdueLookAt = now + overdueLookMs;
      await deps.checkOverdue();
    }
    const unsigned = deps.writer.unsigned();
    // Also with nothing to sign now and then: a key's overlap may be over.
    if (unsigned === 0 && now - lastSignedAt < keyLookMs) return;
    if (stopping || unsigned >= unsignedRowsMax || now - lastSignedAt >= deps.checkpointMs) {
      await deps.writer.checkpoint();
      lastSignedAt = now;
    }
  };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  /** What cannot be told now, since the database is away as a rule, is told at the next turn. */
  const tell = async (error: unknown): Promise<boolean> => {
    try {
      await deps.onFailure(error);
      return true;
    } catch (failure) {
      deps.log.error({ err: failure }, 'nobody could be told that the audit log is not being written');
      return false;
    }
  };
  const loop = async (): Promise<void> => {
    for (;;) {
      let waitMs = lookMs;
      try {
        await turn();
        isKnown = false;
      } catch (error) {
        waitMs = failedLookMs;
        isKnown ||= await tell(error);
      }
      if (stopping) return;
      await pause(waitMs);
      if (stopping) return;
    }
  };
  const running = loop();
  return {
    wake: () => interrupt?.(),
    stop: async () => {
      stopping = true;
      interrupt?.();
      await running;
      try {
        await turn();
      } catch (error) {
        deps.log.error({ err: error }, 'the audit log could not be written before stopping');
      }
      await deps.writer.release();
    },
  };
}
