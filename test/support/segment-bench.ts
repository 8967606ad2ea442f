import { afterEach, beforeEach, expect } from 'vitest';
import { createTestContext, eraseToEnd, type ErasureRun, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { ConfirmResult, Connection, Json } from '../../src/connector-kit/index.ts';
import { segmentConnector } from '../../src/connectors/segment/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startSegment, type SegmentSeed } from '../../src/sandbox/segment/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

/** The person's identifiers at Segment: one of each kind. */
export const ada = {
  userId: { kind: 'user_id', value: 'User-4711' },
  email: { kind: 'email', value: 'ada@example.com' },
  phone: { kind: 'phone', value: '+12025550123' },
  anonymousId: { kind: 'anonymous_id', value: 'anon-1' },
} as const satisfies Record<string, Identifier>;
/** All of them. */
export const adaIdentifiers: readonly Identifier[] = [ada.userId, ada.email, ada.phone, ada.anonymousId];
/** The same as Segment's external ids. */
export const adaExternalIds = adaIdentifiers.map(({ kind, value }) => ({ type: kind, id: value }));

/** What the simulator answers to `dump`, as far as tests read it. */
export interface SegmentDump {
  readonly profiles: readonly { readonly externalIds: readonly { readonly type: string; readonly id: string }[] }[];
  readonly regulations: readonly { readonly id: string; readonly subjects: readonly string[] }[];
  readonly suppressed: readonly string[];
}

/** A configuration, before the schema, for a simulator at `url`. */
export function segmentConfigFor(url: string, rest: object = {}, profileApi: object = {}): object {
  return {
    profile_api: { space_id: 'spa_sandbox', token: 'profile-token', base_url: url, ...profileApi },
    public_api: { token: 'public-token', base_url: url },
    ...rest,
  };
}

/** The address of whatever was given to `fetch`. */
export function urlOf(input: string | URL | Request): string {
  return typeof input === 'string' ? input : input instanceof URL ? input.href : input.url;
}

/** For comparing identifiers found in any order. */
export function byValue(one: Identifier, other: Identifier): number {
  return one.value < other.value ? -1 : 1;
}

/** A simulator of its own for each test (a reset does not turn its clock back), and what tests do with it. */
export interface SegmentBench {
  readonly vendor: () => Simulator;
  readonly dump: () => SegmentDump;
  readonly connect: (rest?: object, profileApi?: object) => Connection;
  /** A task for the person's user id, seen at Segment, unless said otherwise. */
  readonly task: (options?: Partial<TestContextOptions>) => TestContext;
  /** Plants the person, unless the seed has other profiles. */
  readonly plant: (seed?: SegmentSeed) => void;
  readonly run: (connection: Connection, test: TestContext) => Promise<ErasureRun>;
  /** Confirms as the orchestrator does, keeping what was saved. */
  readonly confirm: (connection: Connection, test: TestContext, cursor: Json) => Promise<{ readonly seen: ConfirmResult; readonly waits: readonly number[] }>;
  /** Creates a regulation that is not the connector's. */
  readonly post: (subjectIds: readonly string[], regulationType?: string) => Promise<void>;
  /** How many regulations were created. */
  readonly created: () => number;
}

/** Registers the hooks that start and stop the simulator around each test of the calling file. */
export function useSegment(): SegmentBench {
  let running: Simulator | undefined;
  const vendor = (): Simulator => {
    if (running === undefined) throw new Error('The simulator is not running');
    return running;
  };
  beforeEach(async () => {
    running = await startSegment();
  });
  afterEach(async () => running?.close());
  return {
    vendor,
    dump: () => vendor().dump() as SegmentDump,
    connect: (rest, profileApi) => segmentConnector.connect(segmentConnector.config.parse(segmentConfigFor(vendor().url, rest, profileApi))),
    task: (options = {}) => createTestContext({ egress: [vendor().url], identifier: ada.userId, identifiers: adaIdentifiers, seenHere: true, ...options }),
    plant: (seed = {}) => void vendor().seed({ profiles: [{ external_ids: adaExternalIds }], ...seed }),
    run: async (connection, test) => eraseToEnd(connection, test, { onWait: vendor().advance }),
    confirm: async (connection, test, cursor) => {
      const waits: number[] = [];
      let kept = cursor;
      for (;;) {
        test.clearSaved();
        const seen = await connection.confirm(test.step({ cursor: kept, attempt: 1 }));
        kept = test.saved()?.cursor ?? kept;
        if (seen.state !== 'later' || waits.length >= 100) return { seen, waits };
        waits.push(seen.afterMs);
        test.advance(seen.afterMs);
        vendor().advance(seen.afterMs);
      }
    },
    post: async (subjectIds, regulationType = 'SUPPRESS_WITH_DELETE') => {
      const response = await fetch(`${vendor().url}/regulations`, {
        method: 'POST',
        headers: { authorization: 'Bearer public-token', 'content-type': 'application/json' },
        body: JSON.stringify({ regulationType, subjectType: 'USER_ID', subjectIds }),
      });
      expect(response.status).toBe(200);
    },
    created: () => vendor().effects.filter(({ type }) => type === 'regulation.created').length,
  };
}
