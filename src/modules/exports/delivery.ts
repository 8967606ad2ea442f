import type { Readable } from 'node:stream';
import { formatId, type RequestId } from '../../contract/ids.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { takePlace } from '../../platform/db/rate-limit.ts';
import { Failure } from '../../platform/failure.ts';
import { codeOf, judgeCode } from '../identity/index.ts';
import { decryptWith, encryptFor } from './age-stream.ts';
import type { ExportsDeps } from './exports.ts';
import { linkToken, tokenHash } from './link-token.ts';
import { identityContext } from './make-package.ts';
import * as store from './store.ts';
import type { ExportTables } from './tables.ts';

/** A place in the limit of a link, and how many are left at once. */
export interface LinkPlace {
  readonly perMinute: number;
  readonly remaining: number;
}

/** What a link leads to. */
export interface OpenLink {
  readonly requestId: RequestId;
  readonly expiresAt: Date;
  readonly place: LinkPlace;
}

/** A package that comes through us. */
export interface PackageStream {
  readonly stream: Readable;
  readonly filename: string;
  readonly contentType: 'application/zip' | 'application/octet-stream';
}

/** A package on its way out: through us, or from the storage itself. */
export type Handout =
  | (PackageStream & { readonly kind: 'stream'; readonly delivered: () => Promise<void> })
  | { readonly kind: 'link'; readonly url: string };

/** Hands packages out to who has the link and, again, the mailbox. */
export interface Delivery {
  /** Finds what a link leads to. Fails with `NOT_FOUND`, the same for a link that never was, one that expired and one that was revoked, and with `RATE_LIMITED`. */
  readonly open: (token: string) => Promise<OpenLink>;
  /** Has a code sent to the address that is proven; does nothing within a minute of the last one, and after five a day. */
  readonly requestCode: (link: OpenLink) => Promise<void>;
  /**
   * Gives the package for a code; encrypted to the person's own key of age where they give one. Fails with `VERIFICATION_FAILED`, the same for every code
   * that is not the one, and with `VALIDATION_FAILED` for a key that is none.
   */
  readonly download: (link: OpenLink, code: string, recipient?: string) => Promise<Handout>;
  /** Gives the package in clear to an operator, who gives it to the person by hand; counts as a download, under the operator's name. `delivered` is to be called once it was handed out whole. Fails with `NOT_FOUND` where there is none that can be fetched. */
  readonly handToOperator: (requestId: RequestId, operator: string) => Promise<PackageStream & { readonly delivered: () => Promise<void> }>;
  /** The n-th code of a request's link at the moment of sending it; undefined when it must not be sent any more. */
  readonly codeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<string | undefined>;
  /** The link as it is mailed; undefined when there is nothing to fetch. */
  readonly linkToSend: (requestId: RequestId) => Promise<{ readonly url: string; readonly expiresAt: string } | undefined>;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const codesPerDay = 5;
const betweenCodesMs = minuteMs;
/** Looks, codes and downloads a minute through one link. */
const perMinute = 30;
/** How long a link of the storage opens the package: long enough to begin, short enough to be worth nothing later. */
const storageLinkSeconds = 600;

const nothingHere = (): Failure => new Failure('NOT_FOUND', 'There is nothing at this link, or not any more');

/** Whether a package can be fetched. One that is being made anew can be until the new one is there. */
export const canBeFetched = (row: store.PackageRow, nowMs: number): boolean => row.state !== 'ended' && row.object_name !== null && row.expires_at !== null && row.expires_at.getTime() > nowMs;

/** Makes the delivery. */
export function createDelivery(deps: ExportsDeps): Delivery {
  const { database, storage } = deps;
  const db = database.read<ExportTables>();
  const codeFor = (requestId: RequestId, number: number): string => codeOf(deps.systemKeys.mac('token', `export_code:${requestId}:${number}`));
  const entryOf = (type: AuditEntry['type'], requestId: RequestId): AuditEntry => ({ type, at: isoTime(deps.clock.now()), actor: { role: type === 'export.code_sent' ? 'system' : 'subject' }, request_id: formatId('request', requestId) });

  /** Locks the package behind a link that was opened, and sees that it still can be fetched. */
  const hold = async (tx: Tx, requestId: RequestId): Promise<store.PackageRow> => {
    const row = await store.lockPackage(tablesOf<ExportTables>(tx), requestId);
    if (row === undefined || !canBeFetched(row, deps.clock.now())) throw nothingHere();
    return row;
  };

  /** Judges a code, and counts the attempt whatever comes of it. */
  const judge = async (requestId: RequestId, code: string): Promise<store.PackageRow | undefined> =>
    database.transaction(async (tx) => {
      const row = await hold(tx, requestId);
      const trx = tablesOf<ExportTables>(tx);
      const state = { attempts: row.code_attempts, expiresAt: row.code_number === 0 ? 0 : (row.code_expires_at?.getTime() ?? 0), verified: row.code_used };
      const verdict = judgeCode(state, code.replaceAll(/[\s-]/gu, ''), codeFor(requestId, row.code_number), deps.clock.now(), deps.codeAttempts);
      if (verdict === 'verified') {
        await store.updatePackage(trx, requestId, { downloads: row.downloads + 1, downloaded_at: new Date(deps.clock.now()) });
        await deps.record(tx, { ...entryOf('export.downloaded', requestId), attempt: row.downloads + 1 });
        return row;
      }
      if (verdict !== 'locked') await store.updatePackage(trx, requestId, { code_attempts: row.code_attempts + 1 });
      await deps.record(tx, { ...entryOf('export.code_failed', requestId), reason_code: verdict, attempt: row.code_attempts + 1 });
      return undefined;
    });

  /** A code opens the package until it was handed out whole: what broke off can be begun again with it. */
  const useUp = async (requestId: RequestId, codeNumber: number): Promise<void> =>
    database.transaction(async (tx) => {
      const trx = tablesOf<ExportTables>(tx);
      const row = await store.lockPackage(trx, requestId);
      if (row?.code_number === codeNumber) await store.updatePackage(trx, requestId, { code_used: true });
      await deps.onDelivered(tx, requestId, null);
    });

  /** The package in clear, as it comes from the store. */
  const openPackage = async (requestId: RequestId, name: string, identity: Buffer | null): Promise<Readable> => {
    const stored = await storage.get(name);
    if (identity === null) return stored;
    const vault = await deps.vault.unlock(requestId);
    return decryptWith(vault.open(identity, identityContext(requestId)).toString('utf8'), stored);
  };

  const filenameOf = (requestId: RequestId): string => `privacy-export-${formatId('request', requestId)}.zip`;

  return {
    open: async (token) => {
      const hash = tokenHash(token);
      const row = await store.findByToken(db, hash);
      const found = row !== undefined && canBeFetched(row, deps.clock.now()) ? row : undefined;
      // The same two statements whatever there is. Who guesses at links has limits of their own, and takes nothing from who has one.
      const name = found === undefined ? `export-unknown:${hash.toString('hex', 0, 1)}` : `export:${found.request_id}`;
      const place = await takePlace(database, name, { perSecond: perMinute / 60, burst: perMinute });
      if (!place.allowed) throw new Failure('RATE_LIMITED', `Only ${perMinute} a minute are taken here; wait as long as Retry-After says`, { retryAfterMs: place.retryAfterMs });
      if (found?.expires_at == null) throw nothingHere();
      return { requestId: found.request_id, expiresAt: found.expires_at, place: { perMinute, remaining: place.remaining } };
    },
    requestCode: async ({ requestId }) => {
      await database.transaction(async (tx) => {
        const row = await hold(tx, requestId);
        const nowMs = deps.clock.now();
        const isNewWindow = row.codes_since === null || row.codes_since.getTime() + dayMs <= nowMs;
        const lastSentMs = row.code_expires_at === null ? 0 : row.code_expires_at.getTime() - deps.codeMinutes * minuteMs;
        if (nowMs < lastSentMs + betweenCodesMs || (!isNewWindow && row.codes_in_window >= codesPerDay)) return;
        const number = row.code_number + 1;
        await store.updatePackage(tablesOf<ExportTables>(tx), requestId, {
          code_number: number,
          code_attempts: 0,
          code_used: false,
          code_expires_at: new Date(nowMs + deps.codeMinutes * minuteMs),
          codes_since: isNewWindow ? new Date(nowMs) : row.codes_since,
          codes_in_window: isNewWindow ? 1 : row.codes_in_window + 1,
        });
        await deps.sendCode(tx, requestId, number);
        await deps.record(tx, { ...entryOf('export.code_sent', requestId), attempt: number });
      });
    },
    download: async ({ requestId }, code, recipient) => {
      // Before the code is judged: a key that is none costs no attempt.
      const encrypt = recipient === undefined ? undefined : encryptFor([recipient]);
      const row = await judge(requestId, code);
      if (row?.object_name == null) throw new Failure('VERIFICATION_FAILED', 'The code is not right, or not any more; ask for another one');
      const filename = filenameOf(requestId);
      if (row.encryption === 'storage' && encrypt === undefined) {
        if (storage.link === undefined) throw new Failure('STORAGE_REFUSED', 'The package is in a storage that is not configured any more');
        const { url } = await storage.link(row.object_name, { seconds: storageLinkSeconds, filename });
        await useUp(requestId, row.code_number);
        return { kind: 'link', url };
      }
      const plain = await openPackage(requestId, row.object_name, row.identity);
      const delivered = (): Promise<void> => useUp(requestId, row.code_number);
      if (encrypt === undefined) return { kind: 'stream', stream: plain, filename, contentType: 'application/zip', delivered };
      return { kind: 'stream', stream: await encrypt(plain), filename: `${filename}.age`, contentType: 'application/octet-stream', delivered };
    },
    handToOperator: async (requestId, operator) => {
      const row = await database.transaction(async (tx) => {
        const held = await hold(tx, requestId);
        await store.updatePackage(tablesOf<ExportTables>(tx), requestId, { downloads: held.downloads + 1, downloaded_at: new Date(deps.clock.now()) });
        await deps.record(tx, { ...entryOf('export.handed_to_operator', requestId), actor: { role: 'operator', id: operator }, attempt: held.downloads + 1 });
        return held;
      });
      if (row.object_name === null) throw nothingHere();
      return { stream: await openPackage(requestId, row.object_name, row.identity), filename: filenameOf(requestId), contentType: 'application/zip', delivered: () => database.transaction((tx) => deps.onDelivered(tx, requestId, operator)) };
    },
    codeToSend: async (tx, requestId, number) => {
      const trx = tablesOf<ExportTables>(tx);
      const row = await store.lockPackage(trx, requestId);
      if (row === undefined || !canBeFetched(row, deps.clock.now()) || row.code_number !== number || row.code_used) return undefined;
      // Its validity starts here, so that a mail server that was down costs the person nothing.
      await store.updatePackage(trx, requestId, { code_expires_at: new Date(deps.clock.now() + deps.codeMinutes * minuteMs) });
      return codeFor(requestId, number);
    },
    linkToSend: async (requestId) => {
      const row = await store.findPackage(db, requestId);
      if (row === undefined || !canBeFetched(row, deps.clock.now()) || row.expires_at === null) return undefined;
      return { url: `${deps.publicUrl()}/v1/exports/${linkToken(deps.systemKeys, requestId, row.link_number)}`, expiresAt: row.expires_at.toISOString() };
    },
  };
}
