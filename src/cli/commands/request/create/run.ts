import { acceptedSchema } from '../../../api-schemas.ts';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { readInput } from '../../../read-input.ts';

interface Flags extends JsonFlag {
  readonly email?: string;
  readonly phone?: string;
  readonly stripeCustomerId?: string;
  readonly userId?: string;
  readonly jurisdiction?: string;
  readonly stdin: boolean;
  readonly idempotencyKey?: string;
}

/** Opens a request and says how to follow it. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const { email, phone, stripeCustomerId, userId, jurisdiction } = flags;
  const given = { email, phone, stripe_customer_id: stripeCustomerId, user_id: userId, jurisdiction };
  const body = flags.stdin ? await readBody(this, Object.values(given).some((each) => each !== undefined)) : given;
  const headers = flags.idempotencyKey === undefined ? {} : { 'idempotency-key': flags.idempotencyKey };
  const answer = await createApiClient(this).post('/v1/privacy-requests', body, headers);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const accepted = readAnswer(acceptedSchema, answer);
  print(this, `${accepted.id} (${accepted.reference}) is ${accepted.status}; due on ${accepted.due_at.slice(0, 10)}`, `Follow it: quittance request watch ${accepted.id}`);
}

async function readBody(context: CliContext, alsoFlags: boolean): Promise<unknown> {
  if (alsoFlags) throw new CommandError(exitCodes.misuse, 'Give the person either on standard input (--stdin) or by flags, not both');
  const text = await readInput(context);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CommandError(exitCodes.misuse, 'Standard input is not JSON; it takes a body such as {"email": "ada@example.com"}');
  }
}
