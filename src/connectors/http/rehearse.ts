import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure, type ConnectorContext, type Rehearsal } from '../../connector-kit/index.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import { createAuthenticate } from './authenticate.ts';
import { createSend, firstFit, type Send } from './call.ts';
import { confirmOf, isThere } from './confirm-absence.ts';
import type { EraseStep } from './declaration.ts';
import type { Unit } from './erase-cursor.ts';
import { identifierValues, mainLookUps, type System } from './look-up.ts';
import { nobody } from './nobody.ts';
import { renderRequest } from './render-request.ts';
import { runStep, type StepContext, type StepOutcome } from './run-step.ts';
import { placeholdersOf } from './template.ts';

type Seen = Pick<Rehearsal, 'result' | 'detail'>;

const kept = (detail: string): Seen => ({ result: 'kept', detail });
const violated = (detail: string): Seen => ({ result: 'violated', detail });
const open = (detail: string): Seen => ({ result: 'open', detail });

/** Between two polls here: a person waits for the answer. */
const pollMs = 1000;

/** One declaration under test, with somebody whom its system cannot know. */
interface Stage {
  readonly context: ConnectorContext;
  readonly system: System;
  readonly identifier: Identifier;
  readonly step: EraseStep;
  readonly stepContext: StepContext;
}

/**
 * Puts a system to the test as its declaration says it behaves, with somebody who does not exist: nobody is found, strangers are refused, nobody is
 * erased, one key means one job, polls end, an unknown job is not a finished one, and the read-back works. It sends erasures, so it looks first: where
 * somebody who does not exist is found, what was asked by is ignored, and an erasure could be everybody's. Goes on after any other violation.
 */
export async function rehearse(context: ConnectorContext, system: System): Promise<readonly Rehearsal[]> {
  const { erase } = system.declaration;
  const [stage, ...others] = erase.map((step) => stageOf(context, system, step));
  if (stage === undefined) throw new Failure('INTERNAL', 'A declaration without a step');
  const rows: Rehearsal[] = [];
  const row = async (check: string, look: () => Promise<Seen>): Promise<void> => {
    const seen = await look().catch((error: unknown) => {
      if (error instanceof Failure) return violated(`${error.code}: ${error.detail}`);
      throw error;
    });
    rows.push({ check, ...seen });
  };
  await row('unknown_person_is_not_found', async () => unknownIsNotFound(stage));
  const isSafe = rows.every(({ result }) => result !== 'violated');
  const erasingRow = async (check: string, look: () => Promise<Seen>): Promise<void> => row(check, isSafe ? look : async () => open('not tried: its look-up does not find nobody, so an erasure could reach everybody'));
  // Each call that erases is put to the test: the second of a contract can be the one that lets strangers in.
  for (const [index, each] of [stage, ...others].entries()) {
    const inStep = (seen: Seen): Seen => (others.length === 0 ? seen : { ...seen, detail: `step ${index + 1}: ${seen.detail}` });
    await erasingRow('strangers_are_refused', async () => inStep(await strangersAreRefused(each)));
    let outcome: StepOutcome | undefined;
    await erasingRow('same_key_same_job', async () => {
      const [first, second] = [await run(each), await run(each)];
      outcome = first;
      return inStep(sameKeySameJob(each, first, second));
    });
    await erasingRow('unknown_person_is_not_erased', async () => inStep(await unknownIsNotErased(each, outcome)));
    await row('unknown_job_is_not_finished', async () => inStep(await unknownJob(each)));
  }
  await row('read_back', async () => readBack(stage));
  await row('callback', async () => open(system.declaration.callback === undefined ? 'none is declared: jobs are polled' : 'it cannot be provoked from here; it must be signed, and is only a wake-up'));
  return rows;
}

function stageOf(context: ConnectorContext, system: System, step: EraseStep): Stage {
  const kinds = Object.keys(system.declaration.identifiers) as IdentifierKind[];
  const kind = kinds.find((each) => mainLookUps(system.declaration.locate, each).length > 0) ?? kinds[0] ?? 'email';
  const identifier = nobody(kind, createHash('sha256').update(String(context.now())).digest('hex').slice(0, 12));
  const jobs = placeholdersOf(JSON.stringify(system.declaration.erase)).flatMap(({ name }) => (name.startsWith('job.') ? [name.slice('job.'.length)] : []));
  const stepContext: StepContext = {
    fetch: context.fetch,
    now: context.now,
    signal: context.signal,
    identifier: { ...identifier, raw: identifier.value },
    identifiers: [identifier],
    request: { id: 'req_rehearsal', source: 'rehearsal', law: 'gdpr', verifiedBy: 'operator' },
    taskId: 'task_rehearsal',
    earlierJobs: jobs.map((connection) => ({ connection, job: 'quittance-rehearsal' })),
    idempotencyKey: (part) => createHash('sha256').update(`${identifier.value}:${part}`).digest('hex'),
  };
  return { context, system, identifier, step, stepContext };
}

const nobodysRecord = 'quittance-nobody';
const freshUnit = (now: number): Unit => ({ step: 0, accepted: false, did: false, asked: false, since: now, lost: 0 });

async function run({ stepContext, system, step }: Stage, unit: Unit = freshUnit(stepContext.now())): Promise<StepOutcome> {
  return runStep({ context: stepContext, system, step, unit, generation: 0, ...(step.each === undefined ? {} : { item: nobodysRecord }), keep: async () => undefined });
}

async function strangersAreRefused({ context, system, step, identifier, stepContext }: Stage): Promise<Seen> {
  const { auth, tls, base_url: baseUrl, locate } = system.declaration;
  if (auth.scheme === 'none') return open(tls === undefined ? 'declared without credentials: anybody who reaches it can erase' : 'the client’s certificate cannot be left out here');
  const bare: Send = createSend(createAuthenticate({ scheme: 'none' }), []);
  const values = { ...identifierValues(system.declaration, { ...identifier, raw: identifier.value }), 'item.id': nobodysRecord, idempotency_key: stepContext.idempotencyKey('stranger'), 'task.id': stepContext.taskId, ...requestValues(stepContext) };
  const templates = [...mainLookUps(locate, identifier.kind).map((each) => each.request), step.request];
  for (const template of templates) {
    const { status } = await bare(context, renderRequest(baseUrl, template, values));
    if (status !== 401 && status !== 403) return violated(`a call without credentials was answered with ${status}, not with 401 or 403`);
  }
  return kept('calls without credentials are answered with 401 or 403');
}

const requestValues = ({ request, earlierJobs }: StepContext): Record<string, string> => ({
  'request.id': request.id,
  'request.source': request.source,
  'request.law': request.law,
  'request.verified_by': request.verifiedBy,
  ...Object.fromEntries(earlierJobs.map(({ connection, job }) => [`job.${connection}`, job])),
});

async function unknownIsNotFound({ context, system, identifier }: Stage): Promise<Seen> {
  if (mainLookUps(system.declaration.locate, identifier.kind).length === 0) return open('no look-up is declared');
  return (await isThere(context, system, identifier)) ? violated('somebody who does not exist was found') : kept('nobody is found where nobody is');
}

function sameKeySameJob({ step }: Stage, first: StepOutcome, second: StepOutcome): Seen {
  const usesKey = placeholdersOf(JSON.stringify(step.request)).some(({ name }) => name === 'idempotency_key');
  if (!usesKey) return open('the declaration sends no idempotency key');
  const jobs = [first, second].map((each) => (each.is === 'pending' ? each.unit.job : each.is === 'success' ? each.job : undefined));
  if (jobs[0] !== undefined && jobs[1] !== undefined && jobs[0] !== jobs[1]) return violated('the same key was answered with two jobs');
  if (jobs[0] === undefined) return first.is === second.is ? kept('the same key is answered alike') : violated('the same key was answered in two ways');
  return kept('the same key is answered with the same job');
}

async function unknownIsNotErased(stage: Stage, from: StepOutcome | undefined): Promise<Seen> {
  let outcome = from ?? (await run(stage));
  while (outcome.is === 'pending') {
    if (stage.context.shouldYield()) return open('its job did not end within the time of this check');
    await pause(pollMs, undefined, { signal: stage.context.signal }).catch((error: unknown) => {
      throw new Failure('VENDOR_TIMEOUT', 'The check ended while a job was polled', { cause: error });
    });
    outcome = await run(stage, outcome.unit);
  }
  if (outcome.is === 'success') return violated('somebody who does not exist was reported as erased: say 404, or count what was deleted');
  if (outcome.is === 'operator') return violated(`the erasure of somebody who does not exist failed: ${outcome.detail}`);
  return outcome.is === 'retained' ? violated('data of somebody who does not exist was reported as retained') : kept('the erasure of nobody ends as nothing matched');
}

async function unknownJob(stage: Stage): Promise<Seen> {
  const { step, stepContext, system } = stage;
  if (step.poll === undefined) return open('no poll is declared');
  const values = { ...identifierValues(system.declaration, { ...stage.identifier, raw: stage.identifier.value }), ...requestValues(stepContext), 'task.id': stepContext.taskId, 'item.id': nobodysRecord, vendor_job: nobodysRecord, idempotency_key: stepContext.idempotencyKey('unknown') };
  const answer = await system.send(stage.context, renderRequest(system.declaration.base_url, step.poll.request, values));
  const rule = firstFit(step.poll.answers, answer);
  if (rule === undefined) return answer.status === 404 ? kept('an unknown job is answered with 404; a rule `unknown_job` for it would have it asked for again') : violated(`an unknown job was answered with ${answer.status}, which no rule is about`);
  return rule.is === 'unknown_job' || rule.is === 'failure' ? kept('an unknown job is not a finished one') : violated('a job that does not exist was reported as running or finished');
}

async function readBack({ context, system, identifier }: Stage): Promise<Seen> {
  const confirm = confirmOf(system.declaration);
  if (confirm.by === 'attestation') return open('no read-back is declared: erasures will be attested by the system, not verified');
  if (confirm.by === 'locate') return (await isThere(context, system, identifier)) ? violated('somebody who does not exist is read back as present') : kept('the read-back finds nobody where nobody is');
  const answer = await system.send(context, renderRequest(system.declaration.base_url, confirm.request, identifierValues(system.declaration, { ...identifier, raw: identifier.value })));
  return firstFit(confirm.answers, answer)?.is === 'absent' ? kept('the read-back finds nobody where nobody is') : violated(`the read-back of somebody who does not exist was answered with ${answer.status}, which no rule takes for absent`);
}
