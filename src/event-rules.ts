import { testRules, type TestedRule } from './modules/events/index.ts';
import type { ConfigDocument } from './platform/config/document.ts';

/** What a rule makes of an event. */
export type { TestedRule } from './modules/events/index.ts';

/** Says of every rule of a configuration what it makes of an event, as EventBridge has it or as a CloudEvent. Sends nothing. Fails with `CONFIG_INVALID` and `VALIDATION_FAILED`. */
export function testEventRules(config: ConfigDocument, event: unknown): readonly TestedRule[] {
  return testRules(config.events, event);
}
