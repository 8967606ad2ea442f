import { confirmNoObjects, countObjects, eraseObjects, exportObjects, kindsOf, locateObjects, placesOf, travelsInClear, type Capabilities, type Connector, type ConnectorContext, type ObjectStore } from '../../connector-kit/index.ts';
import { gcsConfigSchema, type GcsConfig } from './config.ts';
import { createGcsGateway } from './gateway.ts';
import { createGcsStore } from './gcs-store.ts';

export { gcsConfigSchema, type GcsConfig } from './config.ts';

const minuteMs = 60_000;

/**
 * Objects of a person in Google Cloud Storage: every generation is deleted by its number. Holds and retention are never bypassed, and what the soft delete policy
 * keeps is reported with the time at which Google deletes it. Facts are those of the JSON API's description, v1.
 */
export const gcsConnector: Connector<GcsConfig> = {
  name: 'gcs',
  title: 'Google Cloud Storage',
  config: gcsConfigSchema,
  checksAtStart: true,
  capabilities: (config): Capabilities => ({
    erases: kindsOf(config),
    locates: kindsOf(config),
    actions: ['erase'],
    isIdentityMap: false,
    latencyMs: { typical: minuteMs, worst: 60 * minuteMs },
    sanitization: 'clear',
    // A bucket takes some 1,000 writes and 5,000 reads a second before it grows; the company's own traffic shares them.
    limits: { concurrency: 4, callsPerSecond: 100, burst: 200 },
  }),
  egress: (config) => [config.endpoint],
  findings: (config) => (travelsInClear(config.endpoint) ? ['the endpoint is called by http over a public network: credentials and what is exported can be read on the way'] : []),
  connect: (config) => {
    const storeOf = async (context: ConnectorContext): Promise<ObjectStore> => createGcsStore(await createGcsGateway(config, context), context);
    return {
      check: async (context) => check(config, context),
      locate: async (context, known) => locateObjects(await storeOf(context), config, known),
      erase: async (context) => eraseObjects(context, await storeOf(context), placesOf(config, context.identifier), { legalBasis: config.retention?.legal_basis }),
      confirm: async (context) => confirmNoObjects(await storeOf(context), config, context.identifier),
      dryRun: async (context) => countObjects(await storeOf(context), placesOf(config, context.identifier)),
      export: (context) => exportFrom(config, context),
    };
  },
};

async function* exportFrom(config: GcsConfig, context: Parameters<typeof exportObjects>[0]): ReturnType<typeof exportObjects> {
  const store = createGcsStore(await createGcsGateway(config, context), context);
  yield* exportObjects(context, store, placesOf(config, context.identifier));
}

/** Lists one object of each bucket. That it may delete shows when it does. */
async function check(config: GcsConfig, context: ConnectorContext): Promise<void> {
  const gateway = await createGcsGateway(config, context);
  for (const bucket of config.buckets) {
    await gateway.must(async (storage) => storage.bucket(bucket).getFiles({ maxResults: 1, autoPaginate: false }));
  }
}
