import { expect, test } from 'vitest';
import { createHttpTarget } from '../../../src/modules/events/targets/http.ts';
import { defaultAccount, startTwilio } from '../../../src/sandbox/twilio/index.ts';
import { inShort, outgoing, targetDeps, unending } from '../../support/outgoing.ts';

test('Twilio’s profiles endpoint itself can be the destination: the profile that the rule declares loses its traits, and no other does', async () => {
  const twilio = await startTwilio();
  try {
    const { profiles, stores } = twilio.seed({
      visibility: { reads: 0 },
      profiles: [
        { traits: { Contact: { email: 'ada@example.com', phone: '+12025550143', city: 'X' } }, identifiers: { email: ['ada@example.com'] } },
        { traits: { Contact: { email: 'bob@example.com' } }, identifiers: { email: ['bob@example.com'] } },
      ],
    }) as { profiles: readonly string[]; stores: { sandbox: string } };
    const target = createHttpTarget(
      {
        kind: 'http',
        attempts: 186,
        age_hours: 24,
        endpoint: `${twilio.url}/v1/Stores/${stores.sandbox}/Profiles/*`,
        method: 'PATCH',
        auth: { kind: 'basic', username: defaultAccount.accountSid, password: defaultAccount.authToken },
        headers: {},
        calls_per_second: 10,
        timeout_seconds: 5,
        allow_private_network: true,
      },
      targetDeps,
    );
    const event = outgoing(1, { shaped: '{"traits":{"Contact":{"email":null,"phone":null}}}', pathParameters: [profiles[0] ?? ''] });
    expect(inShort(await target.deliver([event], unending))).toEqual(['delivered']);
    expect(inShort(await target.deliver([{ ...event, pathParameters: ['mem_profile_00000000000000000000000000'] }], unending))).toEqual(['refused HTTP_404']);
    await target.close();
    const left = JSON.stringify(twilio.dump());
    expect(twilio.effects.map((each) => each.type)).toEqual(['profile.patched']);
    expect(left).toContain('bob@example.com');
    expect(left).not.toContain('+12025550143');
  } finally {
    await twilio.close();
  }
});
