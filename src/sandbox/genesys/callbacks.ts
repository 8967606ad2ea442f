import { createHmac } from 'node:crypto';
import { request as send } from 'undici';
import type { SimulatorContext } from '../simulator.ts';
import type { Delivery, GenesysState, PiiJob } from './genesys-state.ts';
import { settlePii, showJob } from './pii-deletions.ts';

/** Waits before the second and the third try, by the simulator's clock. After the third it is given up. */
const retryMs = [30_000, 300_000];
const answerMs = 5000;

/** The header of a callback over `body`: `t=<seconds>,v1=<HMAC-SHA256 over "t.body", hex>`. */
export function signCallback(secret: string, body: string, nowMs: number): string {
  const t = String(Math.floor(nowMs / 1000));
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}

function enqueue(state: GenesysState, job: PiiJob, now: number, told: Set<string>): void {
  const { callbacks, callback_late_ms: lateMs, callback_url: url } = state.account;
  if (url === undefined) return;
  const add = (kind: Delivery['kind'], dueMs: number): void => void state.deliveries.push({ job: job.id, kind, dueMs, tries: [], isOver: false });
  if (callbacks === 'forged' && !told.has(`forged ${job.id}`)) {
    told.add(`forged ${job.id}`);
    add('forged', now);
  }
  if (job.completedAtMs === undefined || told.has(job.id)) return;
  told.add(job.id);
  add('true', callbacks === 'late' ? job.completedAtMs + lateMs : job.completedAtMs);
  if (callbacks === 'twice') add('true', job.completedAtMs);
}

async function attempt(state: GenesysState, context: SimulatorContext, delivery: Delivery, job: PiiJob): Promise<void> {
  const { callback_url: url, callback_secret: secret, callbacks } = state.account;
  const isForged = delivery.kind === 'forged';
  const body = JSON.stringify(isForged ? { id: job.id, externalId: job.externalId, status: 'completed', recordsDeleted: 99 } : showJob(job));
  let status = -1;
  if (callbacks !== 'lost' && url !== undefined) {
    const headers = { 'content-type': 'application/json', 'x-genesys-signature': signCallback(isForged ? 'not the secret' : secret, body, context.now()) };
    status = await send(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(answerMs) }).then(
      async (answer) => {
        await answer.body.dump();
        return answer.statusCode;
      },
      () => 0,
    );
  }
  delivery.tries.push(status);
  const waitMs = retryMs[delivery.tries.length - 1];
  if (isForged || (status >= 200 && status < 300) || waitMs === undefined) delivery.isOver = true;
  else delivery.dueMs = context.now() + waitMs;
}

/**
 * Tells completions to the configured URL, three times at most. A simulator that listens sends what is due by itself, four times a second;
 * `POST /_sandbox/callbacks` does so at once and answers every delivery so far.
 */
export function createCallbacks(context: SimulatorContext, state: () => GenesysState): void {
  let told = new Set<string>();
  let of: GenesysState | undefined;
  const run = async (): Promise<void> => {
    const current = state();
    if (of !== current) told = new Set();
    of = current;
    settlePii(current, context);
    for (const job of current.jobs.values()) enqueue(current, job, context.now(), told);
    const due = current.deliveries.filter((each) => !each.isOver && each.dueMs <= context.now());
    for (const delivery of current.account.callbacks === 'reordered' ? due.toReversed() : due) {
      const job = current.jobs.get(delivery.job);
      if (job !== undefined) await attempt(current, context, delivery, job);
    }
  };
  let last: Promise<void> = Promise.resolve();
  const pump = async (): Promise<void> => {
    // One after the other: two at once would tell one completion twice.
    last = last.then(run, run);
    return last;
  };
  const { app } = context;
  let timer: NodeJS.Timeout | undefined;
  app.addHook('onListen', async () => {
    timer = setInterval(() => void pump(), 250);
    timer.unref();
  });
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await last;
  });
  app.post('/_sandbox/callbacks', async () => {
    await pump();
    return state().deliveries;
  });
}
