import { applyEventBridge, cloudFormationTemplate, createAws, planDestruction, planEventBridge, terraformConfiguration, withSecrets, type Aws, type EventBridgeDifference } from './modules/events/provision/index.ts';
import type { ConfigDocument } from './platform/config/document.ts';
import { resolveSecret, type SecretSources } from './platform/config/load.ts';
import { Failure } from './platform/failure.ts';

export type { Change, EventBridgeDifference } from './modules/events/provision/index.ts';

/** What provisioning is done with, replaceable in tests. */
export interface EventBridgeDeps {
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly wait: (ms: number) => Promise<void>;
  readonly onStep: (done: number, total: number) => void;
  /** Amazon's services; those of the configuration when absent. */
  readonly aws?: Aws;
}

/** Makes the clients that `events.eventbridge` describes. Fails with `CONFIG_INVALID`. */
export function eventBridgeClients(config: ConfigDocument, secrets: SecretSources): Aws {
  const { eventbridge } = config.events;
  if (eventbridge === undefined) throw new Failure('CONFIG_INVALID', '/events/eventbridge is not there; it names the region, the account and the bus', { field: '/events/eventbridge' });
  const { region, endpoint, access_key: key } = eventbridge;
  const at = '/events/eventbridge/access_key';
  return createAws({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(key === undefined ? {} : { credentials: { accessKeyId: resolveSecret(key.id, `${at}/id`, secrets), secretAccessKey: resolveSecret(key.secret, `${at}/secret`, secrets) } }),
  });
}

async function withClients<Value>({ config, secrets, aws }: EventBridgeDeps, work: (clients: Aws) => Promise<Value>): Promise<Value> {
  const clients = aws ?? eventBridgeClients(config, secrets);
  try {
    return await work(clients);
  } finally {
    clients.close();
  }
}

/** Says what differs at Amazon. Changes nothing. Fails as `planEventBridge` of the events module does. */
export async function differenceAtEventBridge(deps: EventBridgeDeps): Promise<EventBridgeDifference> {
  return withClients(deps, async (aws) => planEventBridge(aws, deps.config.events));
}

/** What is asked before anything is changed: true goes on. */
export type Confirm = (difference: EventBridgeDifference) => Promise<boolean>;

/** Makes it as the rules need it, once it is confirmed; answers whether it did. `rewriteSecrets` writes every connection once more. */
export async function provisionEventBridge(deps: EventBridgeDeps, confirm: Confirm, options: { readonly rewriteSecrets: boolean }): Promise<boolean> {
  return withClients(deps, async (aws) => {
    const found = await planEventBridge(aws, deps.config.events);
    const difference = options.rewriteSecrets ? withSecrets(found) : found;
    if (!(await confirm(difference))) return false;
    const resolve = (reference: string, at: string): string => resolveSecret(reference, at, deps.secrets);
    await applyEventBridge({ aws, resolve, wait: deps.wait, onStep: deps.onStep }, difference, { discardDeadLetters: false });
    return true;
  });
}

/** Deletes what is Quittance's own at Amazon, once it is confirmed; answers whether it did. */
export async function destroyEventBridge(deps: EventBridgeDeps, confirm: Confirm, options: { readonly discardDeadLetters: boolean }): Promise<boolean> {
  return withClients(deps, async (aws) => {
    const difference = await planDestruction(aws, deps.config.events);
    if (!(await confirm(difference))) return false;
    await applyEventBridge({ aws, resolve: () => '', wait: deps.wait, onStep: deps.onStep }, difference, options);
    return true;
  });
}

/** Gives what the rules need as a template; asks nothing of Amazon, and has no secret in it. */
export function eventBridgeTemplate(config: ConfigDocument, format: 'cloudformation' | 'terraform'): unknown {
  return format === 'cloudformation' ? cloudFormationTemplate(config.events) : terraformConfiguration(config.events);
}

