import type { EventTarget } from '../target.ts';
import { createEventbridgeTarget } from './eventbridge.ts';
import { createHttpTarget } from './http.ts';
import { createKafkaTarget } from './kafka.ts';
import { createPubsubTarget } from './pubsub.ts';
import { createRedisTarget } from './redis.ts';
import type { TargetSettings } from './settings.ts';
import type { TargetDeps } from './target-deps.ts';
import { createWebhookTarget } from './webhook.ts';

/**
 * Makes the target of a destination. Nothing is called, and no client's library loaded, before the first delivery. Fails with `CONFIG_INVALID` for a setting that
 * cannot be, above all a secret that is none.
 */
export function createTarget(settings: TargetSettings, deps: TargetDeps): EventTarget {
  switch (settings.kind) {
    case 'http':
      return createHttpTarget(settings, deps);
    case 'webhook':
      return createWebhookTarget(settings, deps);
    case 'eventbridge':
      return createEventbridgeTarget(settings, deps);
    case 'kafka':
      return createKafkaTarget(settings);
    case 'pubsub':
      return createPubsubTarget(settings, deps);
    case 'redis':
      return createRedisTarget(settings, deps);
  }
}
