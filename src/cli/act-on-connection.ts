import { createApiClient } from './api-client.ts';
import { print, printJson, type CliContext, type JsonFlag } from './context.ts';

/** The one argument of commands about a connection. */
export const connectionParameter = { kind: 'tuple', parameters: [{ brief: 'The connection’s name in quittance.yaml', parse: String, placeholder: 'name' }] } as const;

/** Calls one of the actions on a connection, and says what it does from now on. */
export async function actOnConnection(context: CliContext, flags: JsonFlag, name: string, action: 'check' | 'suspend' | 'resume', done: string): Promise<void> {
  const answer = await createApiClient(context).post(`/v1/connections/${encodeURIComponent(name)}/${action}`, {});
  if (flags.json) printJson(context, answer);
  else print(context, `${name} ${done}`);
}
