import { pino, type DestinationStream, type Logger } from 'pino';
import { isFailure } from './failure.ts';

/** A structured log: JSON lines with ids, codes and counts. Nothing of a person may be passed to it. */
export type Log = Logger;

/** Makes the process's log. `level` is pino's; `destination` is standard error unless given. */
export function createLog(level: string, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // An error's message may quote what a vendor or a database said, which may quote a person: only its class, code and frames are kept.
      serializers: { err: describeError },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Gives what may be logged of a thrown thing: its class, its code and where it was thrown, never its message unless it is a `Failure`. */
export function describeError(thrown: unknown): Record<string, unknown> {
  if (isFailure(thrown)) {
    const cause = thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) };
    return { name: thrown.name, code: thrown.code, detail: thrown.detail, ...cause };
  }
  if (!(thrown instanceof Error)) return { name: typeof thrown };
  const code = (thrown as { code?: unknown }).code;
  return { name: thrown.name, ...(typeof code === 'string' && /^\w{1,64}$/u.test(code) ? { code } : {}), frames: framesOf(thrown) };
}

/** Where an error was thrown. The stack begins with the message, whose own lines may look like frames: it is cut off first. */
function framesOf(error: Error): readonly string[] {
  const stack = error.stack ?? '';
  const at = stack.indexOf(error.message);
  return (at < 0 ? '' : stack.slice(at + error.message.length))
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 8)
    .map((line) => line.trim());
}
