import { z } from 'zod';
import type { Capabilities, Connection, Connector, EraseResult } from '../../connector-kit/index.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';

/** What a system without an interface is configured with. */
export const manualConfigSchema = z.strictObject({
  title: z.string().min(1).max(100).describe('What it is, for the people who go there: Paper files, second floor.'),
  identifiers: z.array(identifierKindSchema).min(1).describe('By which of its names a person is found there.'),
});
type ManualConfig = z.output<typeof manualConfigSchema>;

const dayMs = 86_400_000;

/**
 * A system without an interface, or a recipient who has to be told (GDPR Art. 19): paper files, a tax adviser, a partner. Whatever is to be done there is
 * given to a person at once, who does it and says where that can be seen; Quittance claims nothing that it did not see.
 */
export const manualConnector: Connector<ManualConfig> = {
  name: 'manual',
  title: 'By hand',
  config: manualConfigSchema,
  capabilities: (config): Capabilities => ({
    erases: config.identifiers,
    exportsWhole: true,
    locates: [],
    actions: ['erase'],
    isIdentityMap: false,
    latencyMs: { typical: dayMs, worst: 7 * dayMs },
    sanitization: 'clear',
    limits: { concurrency: 1000, callsPerSecond: 1000, burst: 1000 },
  }),
  egress: () => [],
  connect: (): Connection => {
    const byHand = async (): Promise<EraseResult> => ({ state: 'operator', code: 'MANUAL_STEP', detail: 'The system has no interface: a person does it there', counts: {}, residue: [] });
    return {
      check: async () => undefined,
      locate: async () => ({ found: [], knows: [] }),
      erase: byHand,
      confirm: async () => ({ state: 'attested' }),
      rectify: byHand,
      confirmRectified: async () => ({ state: 'attested' }),
    };
  },
};
