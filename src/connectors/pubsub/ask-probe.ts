import { Failure, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { Probe } from './config.ts';

/** Asks the service what became of an event, by its idempotency key. Reads only. An answer that the configuration does not name is a failure: nothing is guessed. */
export async function askProbe(context: ConnectorContext, probe: Probe, key: string): Promise<Probe['answers'][number]['is']> {
  const headers = { accept: 'application/json', ...(probe.bearer_token === undefined ? {} : { authorization: `Bearer ${probe.bearer_token}` }) };
  const answer = await context.fetch(probe.url.replaceAll('{key}', encodeURIComponent(key)), { method: 'GET', headers });
  const body = fieldsOf(await answer.text());
  const match = probe.answers.find(({ status, field, equals }) => {
    if (status !== answer.status) return false;
    if (field === undefined || equals === undefined) return true;
    const value = body !== undefined && Object.hasOwn(body, field) ? body[field] : undefined;
    return equals.some((each) => each === value);
  });
  if (match !== undefined) return match.is;
  if (answer.status >= 300) throw vendorFailure(answer.status, { retryAfter: answer.headers.get('retry-after'), now: context.now() });
  throw new Failure('VENDOR_MALFORMED', 'The status probe answered with something that the configuration does not name');
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
