import { actOnConnection } from '../../../act-on-connection.ts';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { connectionListSchema, rehearsalSchema } from '../../../api-schemas.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

/** The connector whose systems nobody has tested before: they are put to the test here. */
const declared = 'http';

/** Checks a connection's credentials at its vendor; a declared system is also put to the test with people who do not exist. */
export async function run(this: CliContext, flags: JsonFlag, name: string): Promise<void> {
  const client = createApiClient(this);
  const { items } = readAnswer(connectionListSchema, await client.get('/v1/connections'));
  if (items.find((each) => each.name === name)?.connector !== declared) {
    await actOnConnection(this, flags, name, 'check', 'answers, and takes the credentials');
    return;
  }
  await client.post(`/v1/connections/${encodeURIComponent(name)}/check`, {});
  const rehearsal = readAnswer(rehearsalSchema, await client.post(`/v1/connections/${encodeURIComponent(name)}/rehearsal`, {}));
  if (flags.json) printJson(this, rehearsal);
  else print(this, `${name} answers, and takes the credentials`, '', ...renderTable(['check', 'result', 'what was seen'], rehearsal.checks.map((each) => [each.check, each.result, each.detail])));
  if (rehearsal.checks.some((each) => each.result === 'violated')) this.process.exitCode = exitCodes.failed;
}
