import { parseId } from '../../../src/contract/ids.ts';
import { verifyCertificate } from '../../../src/verify/index.ts';
import { nameRequest, type Evidence, type RequestRow } from './evidence.ts';

const ended: readonly string[] = ['closed', 'rejected', 'withdrawn', 'expired'];

/** Every request that was answered with 2xx is there; each is over, certified and forgotten, or waits for a person with a reason. */
export function requestViolations(evidence: Evidence): readonly string[] {
  const known = new Set(evidence.requests.map((each) => each.id));
  const lost = evidence.world.accepted.filter(({ id }) => !known.has(parseId('request', id) ?? '')).map(({ id }) => `${id} was answered with 2xx and is not there`);
  return [...lost, ...evidence.requests.flatMap((request) => (ended.includes(request.status) ? endViolations(evidence, request) : openViolations(evidence, request)))];
}

function openViolations(evidence: Evidence, request: RequestRow): readonly string[] {
  if (waitsForPerson(evidence, request)) return [];
  const earlier = evidence.requests.find((each) => each.id === request.duplicate_of);
  if (request.status === 'verified' && earlier !== undefined && waitsForPerson(evidence, earlier)) return [];
  return [`${nameRequest(request.id)} is ${request.status} at the end, and waits for nobody`];
}

function waitsForPerson(evidence: Evidence, request: RequestRow): boolean {
  const open = evidence.manual.filter((each) => each.request_id === request.id && each.settled_at === null && each.reason_code !== '');
  return (request.status === 'escalated' || request.status === 'awaiting_approval') && open.length > 0;
}

function endViolations(evidence: Evidence, request: RequestRow): readonly string[] {
  const found: string[] = [];
  const name = nameRequest(request.id);
  const tasks = evidence.tasks.filter((each) => each.request_id === request.id);
  const comesBack = request.status === 'closed' && tasks.some((each) => each.revisit_at !== null);
  if (!comesBack) {
    if (request.wake_at !== null) found.push(`${name} is ${request.status} and was never forgotten`);
    if (!request.is_destroyed) found.push(`${name} is ${request.status} and its data key lives`);
    if (request.vault_rows > 0) found.push(`${name} is ${request.status} and its vault holds ${request.vault_rows} rows`);
    if (tasks.some((each) => each.has_sealed)) found.push(`${name} is ${request.status} and what its tasks kept is there`);
  }
  if (request.status === 'closed') found.push(...certificateViolations(evidence, request));
  return found;
}

function certificateViolations(evidence: Evidence, request: RequestRow): readonly string[] {
  const name = nameRequest(request.id);
  if (request.certificate === null) return [`${name} is closed and has no certificate`];
  const verified = verifyCertificate(request.certificate, { keys: evidence.world.verifierKeys });
  if (!verified.ok) return [`${name} has a certificate that does not verify: ${verified.check}`];
  const found: string[] = [];
  const { statement } = verified;
  if (statement.request.id !== name) found.push(`${name} has the certificate of ${statement.request.id}`);
  if (statement.verdict !== request.verdict) found.push(`${name} is ${String(request.verdict)} and its certificate says ${statement.verdict}`);
  const said = statement.systems.map((each) => `${each.system} ${each.identifier.commitment} ${each.outcome} ${String(each.confirmation)}`).toSorted();
  const stored = evidence.tasks
    .filter((each) => each.request_id === request.id)
    .map((each) => `${each.connection} ${each.commitment} ${String(each.outcome)} ${String(each.confirmation)}`)
    .toSorted();
  if (said.join('\n') !== stored.join('\n')) found.push(`${name} has a certificate whose outcomes are not those of its tasks`);
  return found;
}
