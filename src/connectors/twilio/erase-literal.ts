import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import { literalProfileUrl, type TwilioConfig } from './config.ts';
import { toJson, type EraseCursor } from './erase-cursor.ts';
import { expectOk, type TwilioGateway } from './gateway.ts';

/** What the literal endpoint says of a profile; `moved` when it redirects, `unreadable` when it does not answer to reading. */
export type LiteralSight = 'present' | 'absent' | 'moved' | 'unreadable';

/** Reads the literal endpoint. Only a deletion was asked of it, so a deployment that refuses the method is no error. */
export async function seeLiteral(gateway: TwilioGateway, config: TwilioConfig, profile: string, now: number): Promise<LiteralSight> {
  const answer = await gateway.send({ method: 'GET', url: literalProfileUrl(config, profile), plainAbsence: true });
  if (answer.kind === 'absent' || answer.kind === 'moved') return answer.kind;
  if (answer.kind === 'refused' && (answer.status === 405 || answer.status === 501)) return 'unreadable';
  expectOk(answer, now);
  return 'present';
}

const mergedElsewhere: EraseResult = {
  state: 'operator',
  code: 'SUBJECT_AMBIGUOUS',
  detail: 'The profile was merged into one that was not resolved to this person',
  counts: {},
  residue: [],
};

/**
 * One step of erasing a profile by the literal `DELETE …/Profiles/{ProfileSid}.json`, as a deployment other than Twilio's answers it: Basic
 * authentication and `X-Twilio-Webhook-Enabled: false`. It is read first, so that a 404 to a deletion whose answer was lost is known from
 * one that never found anything.
 */
export async function eraseLiteral(context: EraseContext, config: TwilioConfig, gateway: TwilioGateway, cursor: EraseCursor | undefined): Promise<EraseResult> {
  const url = literalProfileUrl(config, context.identifier.value);
  const over = toJson({ phase: 'over', at: context.now() });
  const nothing = (outcome: 'already_absent' | 'nothing_matched'): EraseResult => ({ state: 'done', outcome, counts: {}, residue: [], cursor: over });
  let seen = cursor?.phase === 'literal' && cursor.seen;
  if (cursor?.phase !== 'literal') {
    const sight = await seeLiteral(gateway, config, context.identifier.value, context.now());
    if (sight === 'absent') return nothing(context.seenHere ? 'already_absent' : 'nothing_matched');
    if (sight === 'moved') return mergedElsewhere;
    seen = sight === 'present';
    await context.save(toJson({ phase: 'literal', seen }));
  }
  const answer = await gateway.send({ method: 'DELETE', url, headers: { 'x-twilio-webhook-enabled': 'false' }, plainAbsence: true });
  if (answer.kind === 'moved') return mergedElsewhere;
  // Not readable, and a deletion of an earlier attempt may have been done: it is gone, and nobody saw by whose doing.
  if (answer.kind === 'absent' && !seen) return nothing(cursor?.phase === 'literal' || context.seenHere ? 'already_absent' : 'nothing_matched');
  if (answer.kind !== 'absent') expectOk(answer, context.now());
  return { state: 'done', outcome: 'erased', counts: { profile: 1 }, residue: [], cursor: over };
}
