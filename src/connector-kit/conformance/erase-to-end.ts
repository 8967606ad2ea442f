import { Failure } from '../../platform/failure.ts';
import type { Connection, EraseResult, Json } from '../connector.ts';
import type { TestContext } from './test-context.ts';

/** The end of an erasure: nothing further happens by itself. */
export type FinalResult = Extract<EraseResult, { state: 'done' | 'operator' }>;

/** Thrown by a test's fetch: the process dies here, whatever the vendor did. */
export class Death extends Error {
  constructor() {
    super('The process died here');
    this.name = 'Death';
  }
}

/** What a test plays on an erasure. */
export interface EraseToEndOptions {
  /** Told of every wait and back-off, so that the vendor's clock can be moved with the task's. */
  readonly onWait?: (ms: number) => void;
  /** The step, counted from 1, whose result is lost before it could be kept. */
  readonly loseResultOfStep?: number;
  /** Fails the test beyond it; 500 when absent. */
  readonly stepsMax?: number;
}

/** How an erasure went. */
export interface ErasureRun {
  readonly result: FinalResult;
  /** What `confirm` is given. */
  readonly cursor: Json;
  /** Every failure that was retried, in order. */
  readonly failures: readonly Failure[];
  /** Every result, in order. */
  readonly results: readonly EraseResult[];
}

/**
 * Calls `erase` as the orchestrator does until it is over: keeps cursors, waits by moving the clocks, retries what can be retried later with
 * `attempt` + 1 and the last kept cursor, and goes on after a `Death` as a new process would. Failures for an operator are thrown on.
 */
export async function eraseToEnd(connection: Connection, test: TestContext, options: EraseToEndOptions = {}): Promise<ErasureRun> {
  const { stepsMax = 500 } = options;
  const failures: Failure[] = [];
  const results: EraseResult[] = [];
  let cursor: Json = null;
  let attempt = 1;
  const wait = (ms: number): void => {
    test.advance(ms);
    options.onWait?.(ms);
  };
  for (let step = 1; step <= stepsMax; step += 1) {
    test.clearSaved();
    try {
      const result = await connection.erase(test.step({ cursor, attempt }));
      if (step === options.loseResultOfStep) {
        cursor = test.saved()?.cursor ?? cursor;
        attempt += 1;
        continue;
      }
      results.push(result);
      if (result.state === 'done' || result.state === 'operator') return { result, cursor: result.cursor ?? cursor, failures, results };
      cursor = JSON.parse(JSON.stringify(result.cursor)) as Json;
      attempt = 1;
      if (result.state === 'wait') wait(result.afterMs);
    } catch (error) {
      cursor = test.saved()?.cursor ?? cursor;
      attempt += 1;
      if (error instanceof Death) continue;
      if (!(error instanceof Failure) || error.retry !== 'later') throw error;
      failures.push(error);
      wait(error.retryAfterMs ?? 1000);
    }
  }
  throw new Error(`The erasure did not end within ${stepsMax} steps; it stands at ${results.at(-1)?.state ?? 'no result at all'}`);
}
