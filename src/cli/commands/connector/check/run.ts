import { actOnConnection } from '../../../act-on-connection.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';

/** Checks a connection's credentials at its vendor. */
export async function run(this: CliContext, flags: JsonFlag, name: string): Promise<void> {
  await actOnConnection(this, flags, name, 'check', 'answers, and takes the credentials');
}
