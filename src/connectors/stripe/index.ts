import { z } from 'zod';
import type { Connector } from '../../connector-kit/index.ts';
import { stripeConfigSchema, type StripeConfig } from './config.ts';
import { erase } from './erase.ts';
import { exportCustomer } from './export-customer.ts';
import { createStripeGateway } from './gateway.ts';
import { confirm, locate } from './look-up.ts';
import { confirmCustomer, rectifyCustomer } from './rectify-customer.ts';

export { stripeConfigSchema, type StripeConfig } from './config.ts';

const hourMs = 3_600_000;

/**
 * Erases customers at Stripe, in the mode that the connection is configured for; gives what is held of them, and corrects it.
 * Facts are those of Stripe's API reference for version 2026-10-28 and of its Redaction Jobs preview.
 */
export const stripeConnector: Connector<StripeConfig> = {
  name: 'stripe',
  title: 'Stripe',
  config: stripeConfigSchema,
  capabilities: (config) => ({
    erases: ['stripe_customer'],
    locates: ['stripe_customer', 'email'],
    actions: ['erase', 'anonymise'],
    isIdentityMap: false,
    // Stripe's documents speak of up to seven days for a redaction.
    latencyMs: config.mode === 'redact' ? { typical: hourMs, worst: 7 * 24 * hourMs } : { typical: 10_000, worst: hourMs },
    sanitization: 'clear',
    // A live account has 100 requests a second for all that it does; a sandbox has 25.
    limits: { concurrency: 4, callsPerSecond: 20, burst: 20 },
  }),
  egress: (config) => [new URL(config.base_url).origin],
  connect: (config) => ({
    check: async (context) => {
      await createStripeGateway(config, context).must(z.looseObject({ data: z.array(z.unknown()) }), async (stripe) => stripe.customers.list({ limit: 1 }));
    },
    locate: async (context, known) => locate(config, context, known),
    erase: async (context) => erase(config, context),
    confirm: async (context) => confirm(config, context),
    export: (context) => exportCustomer(config, context),
    rectify: async (context) => rectifyCustomer(config, context),
    confirmRectified: async (context) => confirmCustomer(config, context),
  }),
};
