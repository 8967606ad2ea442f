import { createApiClient, readAnswer } from '../../../api-client.ts';
import { keysSchema, logKeyListSchema, type LogKey, type MasterKey } from '../../../api-schemas.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

/** Shows every master key and every key of the log. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const api = createApiClient(this);
  const { master_keys: masterKeys } = readAnswer(keysSchema, await api.get('/v1/keys'));
  const { items: logKeys } = readAnswer(logKeyListSchema, await api.get('/v1/audit/keys'));
  if (masterKeys.some((key) => key.role === 'not_configured')) this.process.exitCode = exitCodes.found;
  if (flags.json) {
    printJson(this, { master_keys: masterKeys, log_keys: logKeys });
    return;
  }
  const count = (value: number): string => value.toLocaleString('en-US');
  print(
    this,
    ...renderTable(['master key', 'role', 'keys of requests', 'system keys', ''], masterKeys.map((key) => [key.id, key.role.replace('_', ' '), count(key.request_keys), count(key.system_keys), adviceOn(key)])),
    '',
    ...renderTable(['log key', 'state', ''], logKeys.map((key) => [key.id, key.state, describeLogKey(key)])),
  );
}

function adviceOn(key: MasterKey): string {
  const isUsed = key.request_keys + key.system_keys > 0;
  switch (key.role) {
    case 'current':
      return 'wraps new keys';
    case 'other':
      return isUsed ? 'still needed: quittance keys rotate' : 'wraps nothing: it can be taken out of the configuration';
    case 'not_configured':
      return 'MISSING: add it to QUITTANCE_MASTER_KEY or its file, and restart';
  }
}

function describeLogKey(key: LogKey): string {
  switch (key.state) {
    case 'announced':
      return 'signs once a signed head covers its announcement';
    case 'current':
      return 'signs every head';
    case 'leaving':
      return `signs beside the current one until ${key.signs_until ?? ''}`;
    case 'retired':
      return `counts for heads of up to ${(key.last_size ?? 0).toLocaleString('en-US')} rows`;
  }
}
