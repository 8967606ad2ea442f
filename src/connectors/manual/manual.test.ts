import { expect, test } from 'vitest';
import { createTestContext } from '../../connector-kit/conformance/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { manualConnector } from './index.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const config = manualConnector.config.parse({ title: 'Paper files', identifiers: ['email', 'user_id'] });

test('gives to a person whatever is to be done there, and claims nothing', async () => {
  const connection = manualConnector.connect(config);
  const step = createTestContext({ egress: [], identifier: email }).step({ cursor: null, attempt: 1 });
  expect(await connection.erase(step)).toMatchObject({ state: 'operator', code: 'MANUAL_STEP', counts: {}, residue: [] });
  expect(await connection.rectify?.({ ...step, corrections: [{ field: 'email', to: 'ada@example.org' }] })).toMatchObject({ state: 'operator', code: 'MANUAL_STEP' });
  expect(connection.export).toBeUndefined();
  expect(await connection.confirm(step)).toEqual({ state: 'attested' });
});

test('needs to say what it is and how people are found there', () => {
  expect(manualConnector.config.safeParse({ title: 'Paper files', identifiers: [] }).success).toBe(false);
  expect(manualConnector.config.safeParse({ identifiers: ['email'] }).success).toBe(false);
  expect(manualConnector.capabilities(config).erases).toEqual(['email', 'user_id']);
});
