import { travelsInClear, type Capabilities, type Connector } from '../../connector-kit/index.ts';
import { pubsubConfigSchema, type PubsubConfig } from './config.ts';
import { confirmByProbe, eraseByEvent } from './erase-by-event.ts';
import { createPubsubGateway } from './gateway.ts';

export { pubsubConfigSchema, type PubsubConfig } from './config.ts';

const minuteMs = 60_000;

/**
 * An in-house service that erases on an event over Google Cloud Pub/Sub. A publication is a request: the task is done when the service acknowledges it by an event of its
 * own, or when its status probe says so. Facts are those of the service's descriptions of google.pubsub.v1.
 */
export const pubsubConnector: Connector<PubsubConfig> = {
  name: 'pubsub',
  title: 'Google Cloud Pub/Sub',
  config: pubsubConfigSchema,
  checksAtStart: true,
  capabilities: (config): Capabilities => ({
    erases: config.identifiers,
    locates: [],
    actions: ['erase'],
    isIdentityMap: false,
    // What the service takes is not known here; a message that nobody takes is kept for seven days.
    latencyMs: { typical: 5 * minuteMs, worst: 24 * 60 * minuteMs },
    sanitization: 'clear',
    limits: { concurrency: 4, callsPerSecond: 20, burst: 40 },
  }),
  egress: (config) => [...new Set([config.endpoint, ...(config.probe === undefined ? [] : [new URL(config.probe.url).origin])])],
  findings: (config) => {
    const { endpoint, probe, identifiers } = config;
    const inClear = [endpoint, ...(probe === undefined ? [] : [probe.url])].some(travelsInClear);
    const isNamed = identifiers.some((kind) => kind === 'email' || kind === 'phone');
    return [
      ...(inClear ? ['It is called by http over a public network: credentials and identifiers can be read on the way'] : []),
      ...(isNamed ? ['The event carries an e-mail address or a telephone number, and Pub/Sub keeps messages that nobody took for days: an opaque user_id is better'] : []),
    ];
  },
  connect: (config) => ({
    check: async (context) => (await createPubsubGateway(config, context)).look(config.acknowledgement?.subscription),
    locate: async () => ({ found: [], knows: [] }),
    erase: async (context) => eraseByEvent(context, config),
    confirm: async (context) => confirmByProbe(context, config),
  }),
};
