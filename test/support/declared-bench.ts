import { afterEach, beforeEach } from 'vitest';
import { createTestContext, eraseToEnd, type ErasureRun, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { ConfirmResult, Connection } from '../../src/connector-kit/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

/** A vendor's simulator of its own for each test, and what tests do with a ready declaration against it. */
export interface DeclaredBench {
  readonly vendor: () => Simulator;
  readonly connect: (rest?: object) => Connection;
  /** A task for one identifier, seen at the vendor unless said otherwise; the person has no other identifiers unless named. */
  readonly task: (identifier: Identifier, options?: Partial<TestContextOptions>) => TestContext;
  /** Erases to the end; the vendor's clock goes with the task's. */
  readonly run: (test: TestContext, connection?: Connection) => Promise<ErasureRun>;
  /** Reads back as the orchestrator does. */
  readonly confirm: (test: TestContext, run: ErasureRun, connection?: Connection) => Promise<ConfirmResult>;
  /** The types of what the vendor really did, in order. */
  readonly effects: () => readonly string[];
  /** Method and path of every call. */
  readonly calls: () => readonly string[];
}

/** Registers a bench for the tests of a file: `config` is a connection's configuration for a simulator at a URL. */
export function useDeclared(start: () => Promise<Simulator>, config: (url: string) => object): DeclaredBench {
  let simulator: Simulator | undefined;
  beforeEach(async () => {
    simulator = await start();
  });
  afterEach(async () => simulator?.close());
  const vendor = (): Simulator => {
    if (simulator === undefined) throw new Error('The simulator is not running');
    return simulator;
  };
  const parsed = (rest: object = {}): ReturnType<typeof httpConnector.config.parse> => httpConnector.config.parse({ ...config(vendor().url), ...rest });
  const connect = (rest: object = {}): Connection => httpConnector.connect(parsed(rest));
  return {
    vendor,
    connect,
    task: (identifier, options = {}) => createTestContext({ egress: httpConnector.egress(parsed()), identifier, identifiers: [identifier], seenHere: true, ...options }),
    run: async (test, connection = connect()) => eraseToEnd(connection, test, { onWait: vendor().advance }),
    confirm: async (test, { cursor }, connection = connect()) => {
      for (let look = 0; look < 50; look += 1) {
        const seen = await connection.confirm(test.step({ cursor, attempt: 1 }));
        if (seen.state !== 'later') return seen;
        test.advance(seen.afterMs);
        vendor().advance(seen.afterMs);
      }
      throw new Error('The read-back still says later after 50 looks');
    },
    effects: () => vendor().effects.map(({ type }) => type),
    calls: () => vendor().calls.map(({ method, path }) => `${method} ${path}`),
  };
}
