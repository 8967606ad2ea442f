export { startTwilio, twilioDefinition } from './twilio-definition.ts';
export { defaultAccount } from './twilio-state.ts';
export { defaultVerifyService } from './verify-routes.ts';
export type { TwilioSeed } from './seed-shape.ts';
