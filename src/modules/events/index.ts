export { checkEvents, createEvents, type Events, type EventsDeps } from './create-events.ts';
export { eventsDispatch, eventsPrune, eventsReplay, eventsSweep } from './jobs.ts';
export type { DestinationDefaults } from './destinations.ts';
export { subscribersToCheck } from './subscribers-connector.ts';
export { testRules, type TestedRule, type TestedTarget } from './test-rules.ts';
