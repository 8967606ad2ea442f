import { createHash } from 'node:crypto';
import type { ConfirmResult, EraseContext, EraseResult } from '../../connector-kit/index.ts';
import { askProbe } from './ask-probe.ts';
import type { PubsubConfig } from './config.ts';
import { parseCursor, toJson, type Answered, type EraseCursor, type Publishing, type Waiting } from './erase-cursor.ts';
import { createPubsubGateway, type PubsubGateway, type Pulled } from './gateway.ts';
import { sortAcknowledgements } from './read-acknowledgements.ts';

const firstLookMs = 5000;
const looksMsMax = 15 * 60_000;
/** How many messages one pull asks for, and how many pulls a step makes to find its own among others’. */
const pullSize = 200;
const pullsMax = 5;

const keyOf = (context: EraseContext, generation: number): string => context.idempotencyKey('event', generation);

/**
 * One step of erasing by an event: publishes it, then waits for what the service says of it. That it was published claims nothing. An event whose publication was not
 * answered is published again with the same key and the same words, which the service drops when it has it already.
 */
export async function eraseByEvent(context: EraseContext, config: PubsubConfig): Promise<EraseResult> {
  const gateway = await createPubsubGateway(config, context);
  const cursor = parseCursor(context.cursor) ?? startFrom(context, parseCursor(context.previous));
  switch (cursor.phase) {
    case 'publishing':
      return publish(context, config, gateway, cursor);
    case 'waiting':
      return listen(context, config, gateway, cursor);
    case 'answered':
      return takeAnswer(context, config, gateway, cursor);
  }
}

/** A person's retry after an end that was none is a new event; where nothing was heard it is the same one, since the service may have it still. */
function startFrom(context: EraseContext, previous: EraseCursor | undefined): Publishing {
  const base: Publishing = { phase: 'publishing', generation: previous?.generation ?? 1, issuedAt: previous?.issuedAt ?? context.now() };
  return previous?.phase === 'answered' ? { ...base, generation: previous.generation + 1, issuedAt: context.now() } : base;
}

async function publish(context: EraseContext, config: PubsubConfig, gateway: PubsubGateway, cursor: Publishing): Promise<EraseResult> {
  const { identifier, request } = context;
  const key = keyOf(context, cursor.generation);
  await context.save(toJson(cursor));
  const body = {
    event: config.event,
    reason: config.reason,
    request: request.id,
    subject: { [identifier.kind]: identifier.value },
    idempotency_key: key,
    issued_at: new Date(cursor.issuedAt).toISOString(),
  };
  const orderingKey = config.ordered ? createHash('sha256').update(JSON.stringify([identifier.kind, identifier.value])).digest('hex') : undefined;
  const message = await gateway.publish({ data: JSON.stringify(body), attributes: { event: config.event, reason: config.reason, request: request.id, idempotency_key: key }, orderingKey });
  return waitOn({ ...cursor, phase: 'waiting', message, since: context.now() }, firstLookMs);
}

function waitOn(cursor: Waiting, afterMs: number): EraseResult {
  return { state: 'wait', cursor: toJson(cursor), afterMs, reason: 'vendor_job', vendorJob: cursor.message };
}

async function listen(context: EraseContext, config: PubsubConfig, gateway: PubsubGateway, cursor: Waiting): Promise<EraseResult> {
  const heard = (await pullOwn(context, config, gateway, cursor)) ?? (await probeOwn(context, config, cursor));
  if (heard === undefined) return waitOn(cursor, Math.min(looksMsMax, Math.max(firstLookMs, Math.floor((context.now() - cursor.since) / 4))));
  // Durable before it is taken from the subscription, which does not give it a second time.
  await context.save(toJson(heard));
  return takeAnswer(context, config, gateway, heard);
}

async function pullOwn(context: EraseContext, config: PubsubConfig, gateway: PubsubGateway, cursor: Waiting): Promise<Answered | undefined> {
  if (config.acknowledgement === undefined) return undefined;
  const { subscription, event } = config.acknowledgement;
  const keys = { current: keyOf(context, cursor.generation), earlier: Array.from({ length: cursor.generation - 1 }, (_, at) => keyOf(context, at + 1)) };
  const pulled: Pulled[] = [];
  // Others' are held until the end, or each pull would bring them again.
  for (let pulls = 0; pulls < pullsMax; pulls += 1) {
    const page = await gateway.pull(subscription, pullSize);
    pulled.push(...page);
    if (page.length === 0 || sortAcknowledgements(page, keys, event).verdict !== undefined || context.shouldYield()) break;
  }
  const { ours, foreign, verdict } = sortAcknowledgements(pulled, keys, event);
  if (foreign.length > 0) await gateway.release(subscription, foreign);
  if (verdict !== undefined) return { phase: 'answered', generation: cursor.generation, issuedAt: cursor.issuedAt, message: cursor.message, verdict, ackIds: [...ours] };
  if (ours.length > 0) await gateway.acknowledge(subscription, ours);
  return undefined;
}

async function probeOwn(context: EraseContext, config: PubsubConfig, cursor: Waiting): Promise<Answered | undefined> {
  if (config.probe === undefined) return undefined;
  const status = await askProbe(context, config.probe, keyOf(context, cursor.generation));
  if (status === 'pending') return undefined;
  return { phase: 'answered', generation: cursor.generation, issuedAt: cursor.issuedAt, message: cursor.message, verdict: { status }, ackIds: [] };
}

async function takeAnswer(context: EraseContext, config: PubsubConfig, gateway: PubsubGateway, cursor: Answered): Promise<EraseResult> {
  if (config.acknowledgement !== undefined && cursor.ackIds.length > 0) await gateway.acknowledge(config.acknowledgement.subscription, cursor.ackIds);
  const { status, counts = {} } = cursor.verdict;
  const person = (code: 'VENDOR_JOB_FAILED' | 'VENDOR_MALFORMED' | 'VENDOR_INCONSISTENT', detail: string): EraseResult => ({
    state: 'operator',
    code,
    detail,
    counts,
    residue: [{ what: 'subject_data', why: status === 'failed' || status === 'partial' ? 'not_deleted' : 'destination_state_unknown' }],
    cursor: toJson(cursor),
  });
  switch (status) {
    case 'failed':
      return person('VENDOR_JOB_FAILED', 'The service says that it could not do what the event asks for');
    case 'partial':
      return person('VENDOR_JOB_FAILED', 'The service says that it did a part of what the event asks for');
    case 'malformed':
      return person('VENDOR_MALFORMED', 'The service acknowledged the event with something that cannot be read');
    case 'contradictory':
      return person('VENDOR_INCONSISTENT', 'The service acknowledged the event with two ends that exclude each other');
    case 'nothing_held':
      // Said in so many words, and not counted as none: it is there no more, or never was.
      return { state: 'done', outcome: 'already_absent', counts, residue: [], vendorJob: cursor.message, cursor: toJson({ ...cursor, ackIds: [] }) };
    case 'done': {
      // It dealt with the event and counts nothing: that is not an erasure, and may be a name that it does not know the person by.
      const isNothing = cursor.verdict.counts !== undefined && Object.values(counts).every((each) => each === 0);
      return { state: 'done', outcome: isNothing ? 'nothing_matched' : 'erased', counts, residue: [], vendorJob: cursor.message, cursor: toJson({ ...cursor, ackIds: [] }) };
    }
  }
}

/** Reads back where the service's probe can show that nothing is left; otherwise its word is all there is. */
export async function confirmByProbe(context: EraseContext, config: PubsubConfig): Promise<ConfirmResult> {
  const cursor = parseCursor(context.cursor);
  if (config.probe === undefined || !config.probe.proves_absence || cursor === undefined) return { state: 'attested' };
  const status = await askProbe(context, config.probe, keyOf(context, cursor.generation));
  if (status === 'done' || status === 'nothing_held') return { state: 'absent' };
  return status === 'pending' ? { state: 'later', afterMs: 60_000 } : { state: 'present', found: [context.identifier] };
}
