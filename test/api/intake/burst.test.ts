import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { call, eventually, signedHeaders } from '../../support/quittance.ts';
import { databaseKinds } from '../../support/databases.ts';
import { useBench } from '../../support/running.ts';

/** At once. The embedded database works on the same thread as everything else, and would take minutes for a thousand on a small machine. */
const bursts = { embedded: 200, postgres: 1000 } as const;
/** Calls a second that each connection may make, at once and on average. */
const callsPerSecond = 20;
const minuteMs = 60_000;

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const bench = useBench(kind);
  const burst = bursts[kind];

  test(
    'a burst of requests is all accepted and kept, while no vendor is called faster than its limit',
    async () => {
      const limits = { calls_per_second: callsPerSecond, timeout_seconds: 30 };
      const { url } = await bench.start({
        sources: { flood: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'source', jurisdiction: 'DE', rate_limit_per_minute: 1_000_000 } },
        connections: { stripe: limits, twilio: limits, segment: limits },
      });
      const startedAt = Date.now();
      const before = process.cpuUsage();
      const answers = await Promise.all(
        Array.from({ length: burst }, async (_each, n) => {
          const body = JSON.stringify({ request_id: `burst-${n}-${randomUUID()}`, subject_email: `burst.${n}@example.com` });
          const response = await fetch(`${url}/v1/intake/flood`, { method: 'POST', body, headers: signedHeaders(body) });
          return { status: response.status, id: ((await response.json()) as { id: string }).id };
        }),
      );
      const tookMs = Date.now() - startedAt;
      const { user, system } = process.cpuUsage(before);
      // Of this one process: senders, server, workers and simulators.
      console.info(`${burst} requests at once on ${kind}: ${tookMs} ms, ${Math.round((user + system) / 1000)} ms of a processor`);
      expect(answers.filter((each) => each.status !== 202)).toEqual([]);
      expect(new Set(answers.map((each) => each.id)).size).toBe(burst);

      const kept = new Set<string>();
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { body } = await call(url, `/v1/privacy-requests?limit=100${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
        for (const each of body['items'] as unknown as readonly { id: string }[]) kept.add(each.id);
        cursor = body['next_cursor'] as unknown as string | null;
      }
      expect(answers.filter((each) => !kept.has(each.id))).toEqual([]);

      const { stripe, twilio, segment } = bench.sandbox();
      const vendors = [stripe, twilio, segment];
      await eventually('The work', async () => (vendors.every((each) => each.calls.length > 3 * callsPerSecond) ? true : undefined), 2 * minuteMs);
      for (const { vendor, calls } of vendors) {
        // A burst of one second's worth, and the rate from then on; a call that is late on the way only ever comes later.
        const tooEarly = calls.filter((each, index) => index + 1 > callsPerSecond + ((each.at - startedAt) / 1000) * callsPerSecond + 1);
        expect({ vendor, tooEarly }).toEqual({ vendor, tooEarly: [] });
      }
    },
    4 * minuteMs,
  );
});
