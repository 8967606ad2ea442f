import { randomBytes } from 'node:crypto';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { ChangingKey, ReadKey } from '../../platform/crypto/system-keys.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newEventId } from '../../platform/ids.ts';
import { createNoteSigner, formatTrustedKey, openCheckpoint, parseNote, parseVerifierKey, readKeys, sha256, type NoteSigner, type VerifierKey } from '../../verify/index.ts';
import { announceKey, formatKeyRing, parseKeyRing, retireKey, useAnnouncedKey, type KeyRing, type RingKey } from './domain/key-ring.ts';
import { recordAuditEntry } from './record-audit-entry.ts';

/** One key of the log as it is shown. */
export interface LogKeyView {
  readonly id: string;
  readonly state: RingKey['state'];
  /** `name+id+base64`. */
  readonly verifierKey: string;
  /** Of one that is leaving: until when it signs beside the current one, in milliseconds since the epoch. */
  readonly until?: number;
  /** Of one that was retired: how many rows its last head covers. */
  readonly lastSize?: number;
}

/** The keys of the log at one moment. */
export interface LogKeySet {
  /** Signs every head. */
  readonly current: NoteSigner;
  /** All that sign the next head: the current one, and those that are leaving and still in their overlap. */
  readonly signing: readonly NoteSigner[];
  /** Every key whose secret half is there and which may have signed a head already, the current one first. */
  readonly signers: readonly NoteSigner[];
  /** Whom to trust, as lines of a key file: the current key first, then those that are leaving, then retired ones up to their last head. */
  readonly trusted: readonly string[];
  /** The same, parsed. */
  readonly verifierKeys: readonly VerifierKey[];
  /** Every key there is or was, the current one first. */
  readonly views: readonly LogKeyView[];
}

/** What the log's writer knows that decides about its keys. */
export interface KeyMilestones {
  /** The newest signed head. */
  readonly head: { readonly size: number; readonly note: string };
  /** Says whether the entry of an event is among the first `size` rows. */
  readonly covers: (eventId: string, size: number) => Promise<boolean>;
  /** Gives the size of the newest head that has a signature line of the key; 0 when there is none. */
  readonly lastSignedBy: (keyId: string) => Promise<number>;
}

/** The keys that sign the log, and their rotation. Every process reads them as they are stored at the time. */
export interface LogKeys {
  readonly origin: string;
  readonly read: () => Promise<LogKeySet>;
  /**
   * Makes a new key and announces it in the log. It signs once a head of the present key covers the announcement. Fails with `CONFLICT` while
   * an earlier one waits for that.
   */
  readonly rotate: (operator: string, overlapDays: number) => Promise<LogKeyView>;
  /** For the log's writer: lets the announced key sign, or retires one whose overlap is over, when it is time. Answers whether it did. */
  readonly tend: (milestones: KeyMilestones) => Promise<boolean>;
}

/** What the keys of the log need. */
export interface LogKeysDeps {
  readonly database: Database;
  readonly signingKey: ChangingKey;
  readonly origin: string;
  readonly clock: Clock;
}

const dayMs = 86_400_000;
/** How often a change is tried again when the stored ring was changed meanwhile, by a rotation of the master key or by another process. */
const conflictRetries = 5;

const signerOf = (origin: string, key: { readonly seed: string }): NoteSigner => createNoteSigner(origin, Buffer.from(key.seed, 'base64'));
/** As an audit entry names a key. A key id is hex and may begin with a digit, and a code may not. */
const named = (key: VerifierKey): string => `key:${key.id}`;
const hashOf = (key: VerifierKey): string => sha256(key.text).toString('hex');

function viewOf(origin: string, key: RingKey): LogKeyView | undefined {
  if (key.state === 'retired') {
    const parsed = parseVerifierKey(key.verifier_key);
    if (!parsed.ok) throw new Error(`A retired key of the log cannot be read: ${parsed.message}`);
    // After a change of origin it is the key of another log.
    return parsed.key.name === origin ? { id: parsed.key.id, state: key.state, verifierKey: key.verifier_key, lastSize: key.last_size } : undefined;
  }
  const { verifierKey } = signerOf(origin, key);
  return { id: verifierKey.id, state: key.state, verifierKey: verifierKey.text, ...(key.state === 'leaving' ? { until: key.until } : {}) };
}

const order: readonly RingKey['state'][] = ['current', 'leaving', 'announced', 'retired'];

function keySetOf(origin: string, ring: KeyRing, now: number): LogKeySet {
  const current = ring.find((key) => key.state === 'current');
  if (current === undefined) throw new Error('The log has no current key');
  const leaving = ring.flatMap((key) => (key.state === 'leaving' ? [key] : [])).toReversed();
  const newestFirst = ring.toReversed().flatMap((key) => viewOf(origin, key) ?? []);
  const views = order.flatMap((state) => newestFirst.filter((view) => view.state === state));
  const trusted = views.filter((view) => view.state !== 'announced').map((view) => formatTrustedKey(view.verifierKey, view.lastSize));
  const parsed = readKeys(trusted);
  if (!parsed.ok) throw new Error(`The keys of the log cannot be read: ${parsed.message}`);
  const signer = signerOf(origin, current);
  return {
    current: signer,
    signing: [signer, ...leaving.filter((key) => now < key.until).map((key) => signerOf(origin, key))],
    signers: [signer, ...leaving.map((key) => signerOf(origin, key))],
    trusted,
    verifierKeys: parsed.keys,
    views,
  };
}

/** Gives the signers whose signature lines a note has. */
export function signersOf(note: string, signers: readonly NoteSigner[]): readonly NoteSigner[] {
  const parsed = parseNote(note);
  const ids = parsed.ok ? parsed.signatures.map((line) => line.id) : [];
  return signers.filter((signer) => ids.includes(signer.verifierKey.id));
}

/** Makes access to the keys of a log. */
export function createLogKeys(deps: LogKeysDeps): LogKeys {
  const { origin } = deps;
  let last: { readonly stored: Buffer; readonly ring: KeyRing } | undefined;
  const readRing = async (): Promise<{ readonly key: ReadKey; readonly ring: KeyRing }> => {
    const key = await deps.signingKey.read();
    if (last?.stored.equals(key.stored) !== true) last = { stored: key.stored, ring: parseKeyRing(key.plain) };
    return { key, ring: last.ring };
  };
  const entry = (fields: Omit<AuditEntry, 'at' | 'actor'>, operator?: string): AuditEntry => ({
    at: isoTime(deps.clock.now()),
    actor: operator === undefined ? { role: 'system' } : { role: 'operator', id: operator },
    ...fields,
  });
  /** Changes the ring and records it, both or neither; `change` answers undefined to leave it. */
  const change = async <Result>(
    decide: (ring: KeyRing) => Promise<{ readonly ring: KeyRing; readonly record: (tx: Tx) => Promise<unknown>; readonly result: Result } | undefined>,
  ): Promise<Result | undefined> => {
    for (let attempt = 0; attempt <= conflictRetries; attempt += 1) {
      const { key, ring } = await readRing();
      const decided = await decide(ring);
      if (decided === undefined) return undefined;
      const wrapped = await deps.signingKey.wrap(formatKeyRing(decided.ring));
      const stored = await deps.database.transaction(async (tx) => {
        if (!(await deps.signingKey.replace(tx, key, wrapped))) return false;
        await decided.record(tx);
        return true;
      });
      if (stored) return decided.result;
    }
    throw new Failure('CONFLICT', 'The keys of the log are being changed by another process; look at them and try again');
  };

  /** The announced key signs from now on, if a signed head covers its announcement. */
  const useAnnounced = (milestones: KeyMilestones): Promise<true | undefined> =>
    change(async (ring) => {
      const announced = ring.find((key) => key.state === 'announced');
      const current = ring.find((key) => key.state === 'current');
      if (announced === undefined || current === undefined || !(await milestones.covers(announced.event_id, milestones.head.size))) return undefined;
      const [before, after] = [signerOf(origin, current).verifierKey, signerOf(origin, announced).verifierKey];
      return {
        ring: useAnnouncedKey(ring, deps.clock.now()),
        record: (tx) => recordAuditEntry(tx, entry({ type: 'log.key_used', from: named(before), to: named(after), key_hash: hashOf(after) })),
        result: true,
      };
    });
  /**
   * A key whose overlap is over is retired, once the newest head is signed by the current one: then no writer, not even one that has lost its lock
   * unnoticed, can add a head that only the old key signed.
   */
  const retireLeaving = (milestones: KeyMilestones): Promise<true | undefined> =>
    change(async (ring) => {
      const leaving = ring.find((key) => key.state === 'leaving' && key.until <= deps.clock.now());
      const current = ring.find((key) => key.state === 'current');
      if (leaving?.state !== 'leaving' || current === undefined || !openCheckpoint(milestones.head.note, [signerOf(origin, current).verifierKey], origin).ok) return undefined;
      const { verifierKey } = signerOf(origin, leaving);
      const lastSize = await milestones.lastSignedBy(verifierKey.id);
      return {
        ring: retireKey(ring, leaving, verifierKey.text, lastSize),
        record: (tx) => recordAuditEntry(tx, entry({ type: 'log.key_retired', from: named(verifierKey), key_hash: hashOf(verifierKey), counts: { rows: lastSize } })),
        result: true,
      };
    });

  return {
    origin,
    read: async () => keySetOf(origin, (await readRing()).ring, deps.clock.now()),
    rotate: async (operator, overlapDays) => {
      const seed = randomBytes(32);
      const { verifierKey } = createNoteSigner(origin, seed);
      const eventId = newEventId();
      const view = await change(async (ring) => {
        const current = ring.find((key) => key.state === 'current');
        const next = announceKey(ring, seed, eventId, Math.round(overlapDays * dayMs));
        if (next === undefined || current === undefined) return undefined;
        const from = named(signerOf(origin, current).verifierKey);
        const fields = { type: 'log.key_announced' as const, from, to: named(verifierKey), key_hash: hashOf(verifierKey), counts: { overlap_days: Math.round(overlapDays) } };
        return {
          ring: next,
          record: (tx) => recordAuditEntry(tx, entry(fields, operator), eventId),
          result: { id: verifierKey.id, state: 'announced', verifierKey: verifierKey.text } satisfies LogKeyView,
        };
      });
      if (view === undefined) throw new Failure('CONFLICT', 'A new key of the log is announced and does not sign yet; it will once a signed head covers its announcement');
      return view;
    },
    tend: async (milestones) => {
      const used = await useAnnounced(milestones);
      const retired = await retireLeaving(milestones);
      return used === true || retired === true;
    },
  };
}
