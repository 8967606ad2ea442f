import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { KeyProvider } from '../../platform/crypto/key-provider.ts';
import { countSystemKeys, hasSystemKeys, rewrapSystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { JobKind, Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import * as store from './store.ts';
import type { IdentityTables } from './tables.ts';

/**
 * Brings every key under one master key; long enough for some ten million. A run that was cut off is taken up where it was. Each master key has
 * a queue of its own, which only workers that wrap under it look at: another one would bring everything back under the old key.
 */
export const keysRewrap = (masterKeyId: string): JobKind => ({ name: `keys.rewrap.${masterKeyId}`, concurrency: 1, expireSeconds: 3600 });

/** What rotating the master key needs. */
export interface MasterKeyRotationDeps {
  readonly database: Database;
  readonly keyProvider: KeyProvider;
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: Pick<Jobs, 'send'>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
}

/** One master key: what this process may do with it, and how much needs it. */
export interface MasterKeyUse {
  readonly id: string;
  /** `current` wraps new keys; `other` only opens; what is under one `not_configured` is not destroyed and cannot be opened. */
  readonly role: 'current' | 'other' | 'not_configured';
  /** Data keys of requests under it, not counting destroyed ones. */
  readonly requestKeys: number;
  readonly systemKeys: number;
}

/** Rotates the master key while requests run. */
export interface MasterKeyRotation {
  /** Every master key that is configured or needed, the current one first. One that wraps nothing and is not current can be taken away. */
  readonly status: () => Promise<readonly MasterKeyUse[]>;
  /** Has a worker whose current master key is the same bring everything under it, on the record under the operator's name. */
  readonly start: (operator: string) => Promise<void>;
  /** Does it, in batches; safe to break off at any time, to run twice at once, and beside requests that open, work and are shredded. */
  readonly rewrap: (signal: AbortSignal) => Promise<Rewrapped>;
  /** Complains to the process's log of keys that need a master key which is not configured: their requests will wait for a person. */
  readonly warnOfMissing: () => Promise<void>;
}

/** What a run came to. */
export interface Rewrapped {
  readonly requestKeys: number;
  readonly systemKeys: number;
  /** Keys that do not open under the very master key that wrapped them: damaged rows, left as they are. */
  readonly failed: number;
}

/** Keys in one commit: 500 take some milliseconds, in which a shredding of one of them waits. */
const batchKeys = 500;
const beforeAllIds = '00000000-0000-0000-0000-000000000000';
/** As an audit entry names a master key. Hex may begin with a digit, and a code may not. */
const named = (masterKeyId: string): string => `master_key:${masterKeyId}`;
const keyContext = (requestId: RequestId): string => `request_key:${requestId}`;

/**
 * Says whether a database is new, so that a master key may be made for it. Fails with `KEY_UNAVAILABLE` when requests have keys while the
 * system keys are gone: fresh ones would know nobody who is stored.
 */
export async function isNewInstallation(database: Database): Promise<boolean> {
  if (await hasSystemKeys(database)) return false;
  if (await store.hasKeys(database.read<IdentityTables>())) {
    throw new Failure('KEY_UNAVAILABLE', 'Quittance does not start, and has changed nothing: the rows of the table system_key are gone, and there are requests. Restore that table from the newest backup');
  }
  return true;
}

/** Makes the rotation. */
export function createMasterKeyRotation(deps: MasterKeyRotationDeps): MasterKeyRotation {
  const { database, keyProvider } = deps;
  const others = keyProvider.masterKeyIds.filter((id) => id !== keyProvider.masterKeyId);
  const entry = (from: string, counts: NonNullable<AuditEntry['counts']>): AuditEntry => ({
    type: 'keys.rewrapped',
    at: isoTime(deps.clock.now()),
    actor: { role: 'system' },
    from: named(from),
    to: named(keyProvider.masterKeyId),
    counts,
  });

  const status = async (): Promise<readonly MasterKeyUse[]> => {
    const [requestKeys, systemKeys] = [await store.countKeys(database.read<IdentityTables>()), await countSystemKeys(database)];
    const ids = new Set([...keyProvider.masterKeyIds, ...[...requestKeys.keys(), ...systemKeys.keys()].toSorted()]);
    const roleOf = (id: string): MasterKeyUse['role'] => (id === keyProvider.masterKeyId ? 'current' : others.includes(id) ? 'other' : 'not_configured');
    return [...ids].map((id) => ({ id, role: roleOf(id), requestKeys: requestKeys.get(id) ?? 0, systemKeys: systemKeys.get(id) ?? 0 }));
  };

  /** Rewraps what can be opened of a batch; what cannot is damaged, and stays as it is. */
  const wrapAnew = async (from: string, batch: Awaited<ReturnType<typeof store.keysUnder>>): Promise<readonly store.Rewrapping[]> => {
    const done: store.Rewrapping[] = [];
    for (const { requestId, wrapped } of batch) {
      try {
        const dataKey = await keyProvider.unwrap({ masterKeyId: from, bytes: wrapped }, keyContext(requestId));
        const after = await keyProvider.wrap(dataKey, keyContext(requestId));
        dataKey.fill(0);
        done.push({ requestId, before: wrapped, after: after.bytes });
      } catch (error) {
        if (!isFailure(error)) throw error;
        deps.log.error({ request_id: requestId, master_key_id: from, err: error }, 'a data key does not open under the master key that wrapped it');
      }
    }
    return done;
  };

  const rewrapUnder = async (from: string, signal: AbortSignal): Promise<{ readonly done: number; readonly failed: number }> => {
    let [done, failed, after] = [0, 0, beforeAllIds];
    while (!signal.aborted) {
      const batch = await store.keysUnder(database.read<IdentityTables>(), from, after, batchKeys);
      const last = batch.at(-1);
      if (last === undefined) break;
      after = last.requestId;
      const anew = await wrapAnew(from, batch);
      failed += batch.length - anew.length;
      done += await database.transaction(async (tx) => {
        const count = await store.replaceKeys(tablesOf<IdentityTables>(tx), keyProvider.masterKeyId, anew);
        if (count > 0) await deps.record(tx, entry(from, { request_keys: count }));
        return count;
      });
    }
    return { done, failed };
  };

  const rewrap: MasterKeyRotation['rewrap'] = async (signal) => {
    let [requestKeys, failed] = [0, 0];
    const systemKeys = await rewrapSystemKeys(database, keyProvider, (tx, from) => deps.record(tx, entry(from, { system_keys: 1 })));
    for (const from of others) {
      const under = await rewrapUnder(from, signal);
      requestKeys += under.done;
      failed += under.failed;
    }
    deps.log.info({ master_key_id: keyProvider.masterKeyId, request_keys: requestKeys, system_keys: systemKeys, failed }, 'keys were brought under the current master key');
    return { requestKeys, systemKeys, failed };
  };

  return {
    status,
    start: async (operator) => {
      await database.transaction(async (tx) => {
        const at = isoTime(deps.clock.now());
        await deps.record(tx, { type: 'keys.rotation_started', at, actor: { role: 'operator', id: operator }, to: named(keyProvider.masterKeyId) });
        await deps.jobs.send(tx, keysRewrap(keyProvider.masterKeyId), {});
      });
    },
    rewrap,
    warnOfMissing: async () => {
      for (const { id, role, requestKeys } of await status()) {
        if (role === 'not_configured') deps.log.error({ master_key_id: id, request_keys: requestKeys }, 'requests need a master key that is not configured; they are not destroyed, and wait for a person until it is');
      }
    },
  };
}
