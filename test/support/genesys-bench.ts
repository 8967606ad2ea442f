import { afterEach, beforeEach } from 'vitest';
import { createTestContext, eraseToEnd, type ErasureRun, type EraseToEndOptions, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { Connection } from '../../src/connector-kit/index.ts';
import { genesysConnector } from '../../src/connectors/genesys/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startGenesys, type GenesysSeed } from '../../src/sandbox/genesys/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

/** The person's identifiers, as the mapping has them. */
export const ada = {
  externalId: { kind: 'external_id', value: 'ada-4711' },
  email: { kind: 'email', value: 'ada@example.com' },
  phone: { kind: 'phone', value: '+12025550123' },
} as const satisfies Record<string, Identifier>;
/** All of them. */
export const adaIdentifiers: readonly Identifier[] = [ada.externalId, ada.email, ada.phone];
/** The person as the GDPR API shows her. */
export const adaSubject = {
  name: 'Ada Example',
  externalContactId: 'contact-1',
  externalId: 'CRM-ADA-4711',
  emailAddresses: ['Ada@Example.com'],
  phoneNumbers: ['+1 202-555-0123'],
};
/** What completions are signed with. */
export const callbackSecret = 'a secret of the callbacks';

/** What the simulator answers to `dump`, as far as tests read it. */
export interface GenesysDump {
  readonly contacts: readonly { readonly external_id: string; readonly records: Readonly<Record<string, number>> }[];
  readonly jobs: readonly { readonly id: string; readonly externalId: string; readonly scope: readonly string[]; readonly metadata: unknown; readonly requestId?: string; readonly createdAtMs: number; readonly completedAtMs?: number; readonly recordsDeleted: number }[];
  readonly subjects: readonly { readonly userId?: string; readonly externalContactId?: string; readonly emailAddresses?: readonly string[] }[];
  readonly requests: readonly { readonly id: string; readonly deleteConfirmed: boolean; readonly status: string }[];
  readonly aggregates: readonly string[];
  readonly deliveries: readonly { readonly job: string; readonly kind: string; readonly tries: readonly number[]; readonly isOver: boolean }[];
}

/** A configuration, before the schema, for a simulator at `url`: external ids there are upper case behind `CRM-`. */
export function genesysConfigFor(url: string, rest: object = {}): object {
  return {
    api: 'pii',
    base_url: url,
    login_url: url,
    client_id: 'sandbox-client',
    client_secret: 'sandbox-client-secret',
    external_id: { prefix: 'CRM-', case: 'upper' },
    ...rest,
  };
}

/** A simulator of its own for each test (a reset does not turn its clock back), and what tests do with it. */
export interface GenesysBench {
  readonly vendor: () => Simulator;
  readonly dump: () => GenesysDump;
  readonly connect: (rest?: object) => Connection;
  /** A task for the person's external id, seen at Genesys, unless said otherwise. */
  readonly task: (options?: Partial<TestContextOptions>) => TestContext;
  readonly plant: (seed: GenesysSeed) => void;
  /** Runs an erasure to its end, the vendor's clock moving along. */
  readonly run: (connection: Connection, test: TestContext, options?: EraseToEndOptions) => Promise<ErasureRun>;
  /** Makes a control call of the simulator. */
  readonly control: (path: string) => Promise<unknown>;
}

/** Registers the hooks that start and stop the simulator around each test of the calling file. */
export function useGenesys(): GenesysBench {
  let running: Simulator | undefined;
  const vendor = (): Simulator => {
    if (running === undefined) throw new Error('The simulator is not running');
    return running;
  };
  beforeEach(async () => {
    running = await startGenesys();
  });
  afterEach(async () => running?.close());
  return {
    vendor,
    dump: () => vendor().dump() as GenesysDump,
    connect: (rest) => genesysConnector.connect(genesysConnector.config.parse(genesysConfigFor(vendor().url, rest))),
    task: (options = {}) => createTestContext({ egress: [vendor().url], identifier: ada.externalId, identifiers: adaIdentifiers, seenHere: true, ...options }),
    plant: (seed) => void vendor().seed(seed),
    run: async (connection, test, options) => eraseToEnd(connection, test, { onWait: vendor().advance, ...options }),
    control: async (path) => {
      const response = await fetch(`${vendor().url}/_sandbox/${path}`, { method: 'POST' });
      const text = await response.text();
      return text === '' ? undefined : (JSON.parse(text) as unknown);
    },
  };
}
