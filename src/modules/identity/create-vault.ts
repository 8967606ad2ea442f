import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Correction } from '../../connector-kit/index.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { keyBytes, open, seal } from '../../platform/crypto/envelope.ts';
import type { KeyProvider } from '../../platform/crypto/key-provider.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import * as store from './store.ts';
import type { IdentityTables } from './tables.ts';
import type { NewIdentifier, OpenVault, Vault, VaultIdentifier } from './vault.ts';

/** What the vault needs. */
export interface VaultDeps {
  readonly database: Database;
  readonly keyProvider: KeyProvider;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
}

/** What is sealed of an identifier. */
interface SealedValue {
  readonly value: string;
  readonly raw?: string;
}

const keyContext = (requestId: RequestId): string => `request_key:${requestId}`;
const identityContext = (requestId: RequestId, id: string): string => `subject_identity:${requestId}:${id}`;
const correctionContext = (requestId: RequestId): string => `request_correction:${requestId}`;
/** Kept apart from the vault's own contexts, so that no caller can name one of those. */
const callerContext = (requestId: RequestId, context: string): string => `sealed:${requestId}:${context}`;

/** The request's nonce: HKDF-SHA-256 (RFC 5869) of the data key, so that it is destroyed when the key is. */
const nonceOf = (dataKey: Buffer): Buffer => Buffer.from(hkdfSync('sha256', dataKey, Buffer.alloc(0), 'quittance request nonce', 32));

const macWith = (nonce: Buffer, text: string): Buffer => createHmac('sha256', nonce).update(text, 'utf8').digest();

const sealValue = (dataKey: Buffer, requestId: RequestId, id: string, plain: SealedValue): Buffer =>
  seal(dataKey, Buffer.from(JSON.stringify(plain), 'utf8'), identityContext(requestId, id));

const openValue = (dataKey: Buffer, requestId: RequestId, id: string, sealed: Uint8Array): SealedValue =>
  JSON.parse(open(dataKey, sealed, identityContext(requestId, id)).toString('utf8')) as SealedValue;

/** An open vault keeps its data key here and not on itself, where a log line or an answer could pick it up. */
const dataKeys = new WeakMap<OpenVault, Buffer>();

/** Makes the vault. It caches nothing: a destroyed key is gone for every process at once. */
export function createVault(deps: VaultDeps): Vault {
  const lookupOf = (identifier: NewIdentifier | { kind: NewIdentifier['kind']; value: string }): Buffer =>
    deps.systemKeys.mac('lookup', store.lookupText(identifier));

  const insert = async (tx: Tx, requestId: RequestId, dataKey: Buffer, identifiers: readonly NewIdentifier[]): Promise<VaultIdentifier['id'][]> => {
    const trx = tablesOf<IdentityTables>(tx);
    const nonce = nonceOf(dataKey);
    const added: VaultIdentifier['id'][] = [];
    for (const each of identifiers) {
      const id = newId('identifier');
      const plain: SealedValue = each.raw === undefined ? { value: each.value } : { value: each.value, raw: each.raw };
      const stored = await store.upsertIdentity(trx, {
        id,
        request_id: requestId,
        kind: each.kind,
        sealed: sealValue(dataKey, requestId, id, plain),
        lookup: lookupOf(each),
        commitment: macWith(nonce, store.lookupText(each)),
        found_by: each.foundBy,
        via: each.via ?? null,
        confidence: each.confidence,
        seen_in: [...new Set(each.seenIn ?? [])].toSorted(),
        found_at: new Date(deps.clock.now()),
      });
      if (stored.id === id) added.push(id);
      else if (plain.raw !== undefined && openValue(dataKey, requestId, stored.id, stored.sealed).raw === undefined) {
        // Another spelling of a known identifier: systems that store it so are searched by it too.
        await store.resealIdentity(trx, stored.id, sealValue(dataKey, requestId, stored.id, plain));
      }
    }
    return added;
  };

  return {
    prepare: async (requestId) => {
      const dataKey = randomBytes(keyBytes);
      return { requestId, dataKey, wrapped: await deps.keyProvider.wrap(dataKey, keyContext(requestId)) };
    },
    seal: ({ dataKey, requestId }, plain, context) => seal(dataKey, plain, callerContext(requestId, context)),
    create: async (tx, prepared, identifiers, corrections = []) => {
      const { requestId, wrapped, dataKey } = prepared;
      await store.insertKey(tablesOf<IdentityTables>(tx), { request_id: requestId, master_key_id: wrapped.masterKeyId, wrapped: wrapped.bytes });
      await insert(tx, requestId, dataKey, identifiers);
      if (corrections.length > 0) await store.insertCorrections(tablesOf<IdentityTables>(tx), requestId, seal(dataKey, Buffer.from(JSON.stringify(corrections), 'utf8'), correctionContext(requestId)));
    },
    unlock: async (requestId) => {
      const db = deps.database.read<IdentityTables>();
      const key = await store.findKey(db, requestId);
      if (key === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      if (key.wrapped === null) throw new Failure('KEY_DESTROYED', "The request's data key was destroyed, and the person's data with it");
      const dataKey = await deps.keyProvider.unwrap({ masterKeyId: key.master_key_id, bytes: Buffer.from(key.wrapped) }, keyContext(requestId));
      const nonce = nonceOf(dataKey);
      const identifiers = (await store.listIdentities(db, requestId)).map((row): VaultIdentifier => {
        const { value, raw } = openValue(dataKey, requestId, row.id, row.sealed);
        const commitment = macWith(nonce, store.lookupText({ kind: row.kind, value }));
        if (!commitment.equals(Buffer.from(row.commitment))) {
          throw new Failure('KEY_UNAVAILABLE', 'A sealed identifier does not fit its commitment; the row was changed');
        }
        return {
          id: row.id,
          kind: row.kind,
          value,
          raw,
          foundBy: row.found_by,
          via: row.via ?? undefined,
          confidence: row.confidence,
          seenIn: row.seen_in,
          commitment: commitment.toString('hex'),
        };
      });
      const vault: OpenVault = {
        requestId,
        nonce,
        identifiers,
        readCorrections: async () => {
          const sealed = await store.findCorrections(db, requestId);
          return sealed === undefined ? [] : (JSON.parse(open(dataKey, sealed, correctionContext(requestId)).toString('utf8')) as Correction[]);
        },
        seal: (plain, context) => seal(dataKey, plain, callerContext(requestId, context)),
        open: (sealed, context) => open(dataKey, sealed, callerContext(requestId, context)),
        mac: (text) => macWith(nonce, text),
      };
      dataKeys.set(vault, dataKey);
      return vault;
    },
    add: async (tx, vault, identifiers) => {
      const dataKey = dataKeys.get(vault);
      if (dataKey === undefined) throw new Error('The vault was not opened by unlock');
      // Held for the transaction: what is added to a vault that is being destroyed would stay behind.
      if (!(await store.holdKey(tablesOf<IdentityTables>(tx), vault.requestId))) {
        throw new Failure('KEY_DESTROYED', "The request's data key was destroyed, and the person's data with it");
      }
      return insert(tx, vault.requestId, dataKey, identifiers);
    },
    describe: async (requestId, tx) =>
      (await store.listIdentities(tx === undefined ? deps.database.read<IdentityTables>() : tablesOf<IdentityTables>(tx), requestId)).map((row) => ({
        id: row.id,
        kind: row.kind,
        found_by: row.found_by,
        via: row.via,
        confidence: row.confidence,
        seen_in: row.seen_in,
        commitment: Buffer.from(row.commitment).toString('hex'),
      })),
    findOpenRequests: async (identifiers, tx) => {
      const lookups = new Map(identifiers.map((each) => [store.lookupText(each), lookupOf(each)]));
      if (lookups.size === 0) return [];
      return store.requestsGiven(tx === undefined ? deps.database.read<IdentityTables>() : tablesOf<IdentityTables>(tx), [...lookups.values()]);
    },
    findSharing: (requestId, tx) => store.requestsSharing(tx === undefined ? deps.database.read<IdentityTables>() : tablesOf<IdentityTables>(tx), requestId),
    shred: async (tx, requestId, mapping) => {
      const trx = tablesOf<IdentityTables>(tx);
      await store.destroyVault(trx, requestId, new Date(deps.clock.now()));
      if (mapping.length > 0) await store.deleteMapping(trx, mapping);
    },
  };
}
