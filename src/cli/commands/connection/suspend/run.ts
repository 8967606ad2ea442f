import { actOnConnection } from '../../../act-on-connection.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';

/** Suspends a connection. */
export async function run(this: CliContext, flags: JsonFlag, name: string): Promise<void> {
  await actOnConnection(this, flags, name, 'suspend', 'starts no more tasks');
}
