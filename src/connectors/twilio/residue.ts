import type { Counts, Residue } from '../../contract/outcomes.ts';

const dayMs = 86_400_000;
/** How long Twilio keeps what no API deletes, in days (Twilio, Recordings; Delete a Message; Voice Insights). */
const keptDays = { recordings: 40, logs: 14, insights: 30 } as const;

/** What stays at Twilio after the deletion of what the counts name, with its end where Twilio states one. Nothing where nothing was there. */
export function residueOf(counts: Counts, now: number): readonly Residue[] {
  const until = (days: number): string => new Date(now + days * dayMs).toISOString();
  const has = (...types: string[]): number => types.reduce((sum, type) => sum + (counts[type] ?? 0), 0);
  const recordings = has('recording');
  const calls = has('call');
  const shared = has('shared_participant');
  const residue: Residue[] = [];
  if (recordings > 0) {
    residue.push({ what: 'recording_metadata', why: 'vendor_retention', count: recordings, legal_basis: 'Twilio, Recordings resource: metadata of deleted recordings', until: until(keptDays.recordings) });
  }
  if (has('message', 'call', 'recording') > 0) {
    residue.push({ what: 'request_logs', why: 'vendor_retention', legal_basis: 'Twilio, deleted records in logs', until: until(keptDays.logs) });
    // Twilio names no end for it.
    residue.push({ what: 'billing_records', why: 'vendor_retention', legal_basis: 'Twilio, usage and billing records' });
  }
  if (calls > 0) {
    residue.push({ what: 'voice_insights', why: 'vendor_retention', count: calls, legal_basis: 'Twilio, Voice Insights data retention', until: until(keptDays.insights) });
    residue.push({ what: 'conference_recordings', why: 'not_searchable_by_api' });
  }
  if (shared > 0) residue.push({ what: 'messages_of_others', why: 'belongs_to_others', count: shared });
  if (has('profile', 'trait_set', 'profile_identifier') > 0) residue.push({ what: 'memory_analytical_copies', why: 'vendor_retention', legal_basis: 'Twilio, Memory: downstream caches and analytical stores' });
  return residue;
}
