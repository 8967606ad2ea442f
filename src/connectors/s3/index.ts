import { confirmNoObjects, countObjects, eraseObjects, exportObjects, kindsOf, locateObjects, placesOf, travelsInClear, type Capabilities, type Connector, type ConnectorContext, type ObjectStore } from '../../connector-kit/index.ts';
import { endpointOf, originsOf, s3ConfigSchema, type S3Config } from './config.ts';
import { createS3Gateway } from './gateway.ts';
import { createS3Store } from './s3-store.ts';

export { s3ConfigSchema, type S3Config } from './config.ts';

const minuteMs = 60_000;

/**
 * Objects of a person in Amazon S3 and in what speaks its protocol: every version is deleted by its id, since a deletion without one only hides, and unfinished uploads
 * are aborted. Object Lock is never bypassed. Facts are those of the S3 User Guide and of the service's model of 2006-03-01.
 */
export const s3Connector: Connector<S3Config> = {
  name: 's3',
  title: 'Amazon S3',
  config: s3ConfigSchema,
  checksAtStart: true,
  capabilities: (config): Capabilities => ({
    erases: kindsOf(config),
    locates: kindsOf(config),
    actions: ['erase'],
    isIdentityMap: false,
    latencyMs: { typical: minuteMs, worst: 60 * minuteMs },
    sanitization: 'clear',
    // S3 takes 3,500 deletions and 5,500 reads a second for each prefix; the company's own traffic shares them.
    limits: { concurrency: 4, callsPerSecond: 100, burst: 200 },
  }),
  egress: originsOf,
  findings: (config) => (travelsInClear(endpointOf(config)) ? ['the endpoint is called by http over a public network: what is exported can be read on the way'] : []),
  connect: (config) => {
    const storeOf = async (context: ConnectorContext): Promise<ObjectStore> => createS3Store(await createS3Gateway(config, context), context);
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

async function* exportFrom(config: S3Config, context: Parameters<typeof exportObjects>[0]): ReturnType<typeof exportObjects> {
  const store = createS3Store(await createS3Gateway(config, context), context);
  yield* exportObjects(context, store, placesOf(config, context.identifier));
}

/** Lists one version and one upload of each bucket: what an erasure reads. That it may delete shows when it does. */
async function check(config: S3Config, context: ConnectorContext): Promise<void> {
  const gateway = await createS3Gateway(config, context);
  for (const bucket of config.buckets) {
    await gateway.must(new gateway.sdk.ListObjectVersionsCommand({ Bucket: bucket, MaxKeys: 1 }));
    await gateway.must(new gateway.sdk.ListMultipartUploadsCommand({ Bucket: bucket, MaxUploads: 1 }));
  }
}
