import type { Capabilities, Connection, Connector, ConnectorContext, EraseContext, EraseResult } from '../../connector-kit/index.ts';
import { twilioConfigSchema, type TwilioConfig } from './config.ts';
import { confirmAbsence } from './confirm-absence.ts';
import { parseCursor } from './erase-cursor.ts';
import { exportObjects } from './export-objects.ts';
import { exportProfile } from './export-profile.ts';
import { eraseLiteral } from './erase-literal.ts';
import { eraseObjects } from './erase-objects.ts';
import { eraseProfile } from './erase-profile.ts';
import { createEraseRun } from './erase-run.ts';
import { createTwilioGateway, expectOk } from './gateway.ts';
import { locatePerson } from './locate-person.ts';
import { createMemoryApi } from './memory-api.ts';

export { twilioConfigSchema, type TwilioConfig } from './config.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/**
 * Twilio: messages with media, calls with recordings and transcriptions, and conversations, under every number and address of the person,
 * and the person's unified profile, by Conversation Memory or by the literal endpoint. Read back by searching again. Exports the same,
 * but for profiles of the literal endpoint.
 * Anonymising is for Memory profiles: everything else carries the person's number as long as it exists, so it is deleted all the same.
 */
export const twilioConnector: Connector<TwilioConfig> = {
  name: 'twilio',
  title: 'Twilio',
  config: twilioConfigSchema,
  capabilities: (config): Capabilities => {
    const kinds = config.profiles === 'none' ? (['phone', 'email'] as const) : (['phone', 'email', 'twilio_profile'] as const);
    return {
      erases: kinds,
      locates: kinds,
      // The literal endpoint is known to delete; what it would show of a profile is not described.
      exports: config.profiles === 'memory' ? kinds : ['phone', 'email'],
      actions: config.profiles === 'memory' ? ['erase', 'anonymise'] : ['erase'],
      isIdentityMap: false,
      // A message may take 14 days to become final (20009), and cannot be deleted before.
      latencyMs: { typical: minuteMs, worst: 15 * dayMs },
      sanitization: 'clear',
      // Twilio limits concurrent calls and publishes no rate (429 and 20429 are about concurrency). A task makes 10 at a time: 40 in all,
      // which at its usual answer times stay under 200 a second. A look-up of one number takes up to 14.
      limits: { concurrency: 4, callsPerSecond: 200, burst: 200 },
    };
  },
  egress: (config) => {
    const { api, conversations, memory } = config.hosts;
    const profiles = config.profiles === 'memory' ? [memory] : config.profiles === 'literal' ? [new URL(config.literal_profile_url).origin] : [];
    return [...new Set([api, conversations, ...profiles])];
  },
  connect: (config): Connection => ({
    check: async (context) => check(context, config),
    locate: async (context, known) => locatePerson(context, config, known),
    erase: async (context) => erase(context, config),
    confirm: async (context) => confirmAbsence(context, config),
    export: (context) => (context.identifier.kind === 'twilio_profile' ? exportProfile(context, config, context.identifier.value) : exportObjects(context, config)),
  }),
};

async function check(context: ConnectorContext, config: TwilioConfig): Promise<void> {
  const gateway = createTwilioGateway(config, context);
  expectOk(await gateway.ask(async (client) => client.messages.page({ pageSize: 1 })), context.now());
  if (config.profiles === 'memory') await createMemoryApi(config, gateway, context).stores();
}

async function erase(context: EraseContext, config: TwilioConfig): Promise<EraseResult> {
  const cursor = parseCursor(context.cursor);
  switch (context.identifier.kind) {
    case 'phone':
    case 'email':
      return eraseObjects(createEraseRun(context, config), cursor);
    case 'twilio_profile':
      if (config.profiles === 'memory') return eraseProfile(createEraseRun(context, config), cursor);
      if (config.profiles === 'literal') return eraseLiteral(context, config, createTwilioGateway(config, context), cursor);
      break;
    case 'user_id':
    case 'anonymous_id':
    case 'external_id':
    case 'stripe_customer':
      break;
  }
  return { state: 'operator', code: 'UNSUPPORTED', detail: 'Twilio erases by number, e-mail address and profile only', counts: {}, residue: [] };
}
