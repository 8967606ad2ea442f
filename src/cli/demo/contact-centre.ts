import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { compose, serviceNames, type Quittance } from '../../composition.ts';
import { loadConfig } from '../../platform/config/load.ts';
import { readSettings } from '../../platform/config/settings.ts';
import { createLog } from '../../platform/log.ts';
import { startGenesys } from '../../sandbox/genesys/index.ts';
import { startMailInbox, type MailInbox } from '../../sandbox/mail/index.ts';
import { proofToken, startProofService } from '../../sandbox/proof/index.ts';
import { purgeCredentials, startPurge } from '../../sandbox/purge/index.ts';
import type { Simulator } from '../../sandbox/simulator.ts';
import { verifyCertificate } from '../../verify/index.ts';
import { acceptedSchema, manualTaskListSchema, requestSchema, taskListSchema, type Request, type Task } from '../api-schemas.ts';
import { connectApi, readAnswer, type ApiClient } from '../api-client.ts';
import { requestPath } from '../request-id.ts';
import { renderElapsed } from '../terminal/progress.ts';
import { renderTable } from '../terminal/table.ts';
import { outcomeTable } from '../terminal/task-lines.ts';
import { signWebhook } from './demo-people.ts';
import type { Expectations } from './expectations.ts';

/** What playing the contact centre needs. */
export interface ContactCentreOptions {
  /** Where its databases go; made. */
  readonly folder: string;
  readonly expect: Expectations['expect'];
  readonly say: (...lines: readonly string[]) => void;
  readonly signal: AbortSignal;
}

/** The configuration that it is played with. */
export const contactCentreConfigPath = fileURLToPath(new URL('../../../examples/03-contact-centre/quittance.yaml', import.meta.url));

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
/** Between two moves of the clock everybody has this long to do what is due. */
const looks = 6;
const lookMs = 50;
/** One person, known under four names; the rest of the contact centre is somebody else. */
const edith = { email: 'edith@example.com', phone: '+12025550177', proof: 'proof-of-edith-000000000000000000000001' };
const names = ['CRM-EDITH-4711', 'CRM-LEGACY-0815', createHash('sha256').update(edith.email).digest('hex')] as const;
/** What identifies her, for who searches Quittance's files for it. */
export const contactCentrePeople: readonly string[] = [edith.email, edith.phone, edith.proof, ...names, 'edith-4711', 'legacy-0815'];
const somebodyElse = 'CRM-OTHER-1';
const apiKey = 'demo-api-key';
const callbackSecret = 'demo-callback-secret';
/** What the mapping table, kept by the contact centre, says of her. */
const mapping = 'email,external_id\nedith@example.com,edith-4711\nedith@example.com,legacy-0815\n';

interface World {
  readonly genesys: Simulator;
  readonly crm: Simulator;
  readonly speech: Simulator;
  readonly workforce: Simulator;
  readonly proof: Simulator;
  readonly mail: MailInbox;
  readonly alerts: readonly string[];
  readonly alertUrl: string;
  readonly close: () => Promise<void>;
}

/** Starts the contact centre, the systems behind it, the verification service, an inbox, and a receiver of alerts. */
async function startWorld(): Promise<World> {
  const [genesys, crm, speech, workforce, proof, mail] = [await startGenesys(), await startPurge(), await startPurge(), await startPurge(), await startProofService(), await startMailInbox()];
  const alerts: string[] = [];
  const receiver = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      alerts.push(z.object({ type: z.string() }).parse(JSON.parse(Buffer.concat(parts).toString('utf8'))).type);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => void receiver.listen(0, '127.0.0.1', resolve));
  const address = receiver.address();
  const alertUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/alerts`;
  const close = async (): Promise<void> => {
    receiver.closeAllConnections();
    receiver.close();
    await Promise.all([genesys, crm, speech, workforce, proof, mail].map(async (each) => each.close()));
  };
  return { genesys, crm, speech, workforce, proof, mail, alerts, alertUrl, close };
}

/** Plants the person under her names, somebody else, and what goes wrong. */
function plant(world: World, url: string): void {
  world.genesys.seed({
    account: { job_ms: 20_000, queued_ms: 2000, callback_secret: callbackSecret, callback_url: `${url}/v1/callbacks/genesys` },
    contacts: [...names, somebodyElse].map((externalId, index) => ({ external_id: externalId, records: { interactions: index + 1, recordings: 2 } })),
  });
  for (const system of [world.crm, world.speech, world.workforce]) system.seed({ subjects: [{ email: edith.email, external_id: 'edith-4711', cases: 2, notes: 3 }, { email: 'somebody@example.com' }] });
  // The CRM takes the erasure and says 503 all the same, says 503 once more, and answers the third call 409 with the job that it made at the first.
  world.crm.fault({ kind: 'after', method: 'POST', path: '^/erasures', status: 503 });
  world.crm.fault({ kind: 'status', method: 'POST', path: '^/erasures', status: 503 });
  // Speech analytics asks to be left alone for a day; it is done after a minute, and its callback is lost on the way.
  world.speech.seed({ account: { retry_after: 86_400, stage_ms: 30_000, polls_per_stage: 1_000_000 } });
  // Workforce management takes every call and answers none.
  world.workforce.fault({ kind: 'hang', times: 1_000_000 });
  world.proof.seed({ people: [{ identity_proof_hash: edith.proof, email: edith.email, phone: edith.phone }] });
}

/** Plays the second pipeline, and checks what came of it. Its clock is moved, so that three days take seconds; everything else is as in production. */
export async function playContactCentre({ folder, expect, say, signal }: ContactCentreOptions): Promise<void> {
  const world = await startWorld();
  let skew = 0;
  let quittance: Quittance | undefined;
  const intakeSecret = `whsec_${randomBytes(32).toString('base64')}`;
  try {
    mkdirSync(folder, { recursive: true });
    quittance = await compose({
      settings: readSettings({ QUITTANCE_DATA_DIR: folder, QUITTANCE_PORT: '0' }),
      config: loadConfig(contactCentreConfigPath),
      services: serviceNames,
      log: createLog('silent'),
      clock: { now: () => Date.now() + skew },
      secrets: { environment: environmentOf(world, intakeSecret), readFile: () => '' },
    });
    const running = quittance;
    const url = running.url ?? '';
    plant(world, url);
    await running.mapping.importCsv([mapping]);
    const api = connectApi(url, () => apiKey, globalThis.fetch);
    /** Lets time go by, in steps in which everybody gets to do what is due, until something is so; answers whether it came to be. */
    const pass = async (stepMs: number, stepsMax: number, isSo: () => Promise<boolean>): Promise<boolean> => {
      for (let step = 0; step < stepsMax; step += 1) {
        signal.throwIfAborted();
        for (let look = 0; look < looks; look += 1) {
          if (await isSo()) return true;
          await pause(lookMs);
        }
        skew += stepMs;
        for (const each of [world.genesys, world.crm, world.speech, world.workforce, world.proof]) each.advance(stepMs);
        await running.sweep();
      }
      return isSo();
    };
    const startedAt = Date.now();
    const tell = (what: string): void => say(`  ${renderElapsed(Date.now() + skew - startedAt).padStart(10)}  ${what}`);
    await play({ world, api, url, intakeSecret, expect, say, tell, pass, reconcile: running.reconcile, trusted: async () => (await running.audit.keys.read()).trusted });
  } finally {
    await quittance?.stop();
    await world.close();
  }
}

const environmentOf = (world: World, intakeSecret: string): Readonly<Record<string, string>> => ({
  ALERT_URL: world.alertUrl,
  ALERT_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
  PROOF_URL: `${world.proof.url}/check`,
  PROOF_TOKEN: proofToken,
  SMTP_URL: world.mail.smtpUrl,
  INTAKE_SECRET: intakeSecret,
  API_KEY: apiKey,
  GENESYS_URL: world.genesys.url,
  GENESYS_CLIENT_ID: 'sandbox-client',
  GENESYS_CLIENT_SECRET: 'sandbox-client-secret',
  GENESYS_CALLBACK_SECRET: callbackSecret,
  CRM_URL: world.crm.url,
  CRM_TOKEN: purgeCredentials.token,
  SPEECH_URL: world.speech.url,
  SPEECH_TOKEN: purgeCredentials.token,
  SPEECH_CALLBACK_SECRET: 'demo-speech-callback-secret',
  WORKFORCE_URL: world.workforce.url,
  WORKFORCE_TOKEN: purgeCredentials.token,
});

interface Scene {
  readonly world: World;
  readonly api: ApiClient;
  readonly url: string;
  readonly intakeSecret: string;
  readonly expect: Expectations['expect'];
  readonly say: ContactCentreOptions['say'];
  /** Says what happened, with the time by the clock that is moved. */
  readonly tell: (what: string) => void;
  readonly pass: (stepMs: number, stepsMax: number, isSo: () => Promise<boolean>) => Promise<boolean>;
  readonly reconcile: Quittance['reconcile'];
  readonly trusted: () => Promise<readonly string[]>;
}

const timelineSchema = z.object({ items: z.array(z.looseObject({ type: z.string(), system: z.string().nullish() })) });

async function play(scene: Scene): Promise<void> {
  const { world, api, expect, say, tell, pass } = scene;
  const requestOf = async (id: string): Promise<Request> => readAnswer(requestSchema, await api.get(requestPath(id)));
  const tasksOf = async (id: string): Promise<readonly Task[]> => readAnswer(taskListSchema, await api.get(`${requestPath(id)}/tasks`)).items;
  const timelineOf = async (id: string): Promise<readonly { readonly type: string; readonly system?: string | null | undefined }[]> => readAnswer(timelineSchema, await api.get(`${requestPath(id)}/timeline?limit=500`)).items;
  // Genesys is asked at the start whether the client may do what it has to.
  const called = (): number => world.genesys.calls.filter((each) => each.method === 'POST' && each.path.startsWith('/api/')).length + [world.crm, world.speech, world.workforce].reduce((sum, each) => sum + each.calls.length, 0);
  const of = (tasks: readonly Task[], system: string): readonly Task[] => tasks.filter((task) => task.system === system);
  const areSettled = (tasks: readonly Task[], system: string): boolean => of(tasks, system).length > 0 && of(tasks, system).every((task) => task.status === 'settled');

  const before = called();
  const strangerId = await send(scene, 'sar-0001', { ...edith, proof: 'a-proof-that-somebody-made-up-000000001' });
  await pass(secondMs, 10, async () => (await timelineOf(strangerId)).some((each) => each.type === 'request.verification_failed'));
  expect('a proof that is not hers calls no system', called() === before && (await requestOf(strangerId)).status === 'verifying', `${called() - before} calls`);
  tell('a stranger’s proof was refused; no system was called');
  const id = await send(scene, 'sar-0002', edith);
  const verified = await pass(secondMs, 30, async () => (await requestOf(id)).status !== 'verifying');
  expect('her own proof is accepted by the verification service', verified);

  tell('her proof was accepted, and the systems are searched; workforce management does not answer');
  // The look-up at workforce management never ends; after ten minutes the plan is made without it.
  await pass(minuteMs, 20, async () => (await tasksOf(id)).length > 0);
  const planned = await tasksOf(id);
  expect('a system that does not answer keeps no other waiting', planned.some((task) => task.system === 'workforce' && task.action === 'locate'), `${planned.length} tasks`);
  expect('each of her names at Genesys has a task of its own', of(planned, 'genesys').filter((task) => task.action === 'erase').length === names.length, `${names.length} names`);

  tell(`planned without it: ${planned.length} tasks`);
  await pass(5 * secondMs, 120, async () => areSettled(await tasksOf(id), 'genesys'));
  const genesys = of(await tasksOf(id), 'genesys');
  expect('Genesys erased every name, one after the other, and its aggregates were refreshed', genesys.every((task) => task.outcome === (task.action === 'refresh' ? 'refreshed' : 'erased')), genesys.map((task) => task.outcome).join(', '));
  const woken = (await timelineOf(id)).filter((each) => each.type === 'task.called_back').length;
  expect('its callbacks had it asked at once', woken > 0, `${woken} callbacks`);

  tell('Genesys has erased her three names, and its aggregates are new');
  await pass(15 * secondMs, 60, async () => areSettled(await tasksOf(id), 'crm'));
  const erasures = world.crm.calls.filter((each) => each.method === 'POST' && each.path.startsWith('/erasures')).map((each) => each.status);
  expect('the CRM said 503 twice and then 409 with its first job, and erased once', erasures.slice(0, 3).join() === '503,503,409' && world.crm.effects.length === 1, `${erasures.join(', ')}; ${world.crm.effects.length} erasure`);

  tell('the CRM took its first job up again at the third call');
  await pass(15 * secondMs, 20, async () => world.speech.effects.length > 0 || of(await tasksOf(id), 'speech').some((task) => task.status === 'running'));
  await pass(minuteMs, 5, async () => false);
  const waits = of(await tasksOf(id), 'speech').some((task) => task.status === 'running');
  const found = await scene.reconcile();
  await pass(15 * secondMs, 20, async () => areSettled(await tasksOf(id), 'speech'));
  expect('a completion whose callback was lost is found by the reconciliation', waits && found.woken === 1 && areSettled(await tasksOf(id), 'speech'), `${found.asked} jobs asked for, ${found.woken} had ended unheard`);
  tell('the reconciliation found that speech analytics was done: its callback had been lost');
  await followToTheEnd(scene, id, { requestOf, tasksOf, timelineOf });
  say('', ...outcomeTable(await tasksOf(id)), '', ...whatTheyHold(world));
}

interface Readers {
  readonly requestOf: (id: string) => Promise<Request>;
  readonly tasksOf: (id: string) => Promise<readonly Task[]>;
  readonly timelineOf: (id: string) => Promise<readonly { readonly type: string }[]>;
}

/** Moves the clock past the window of the system that never answered, and has a person settle what is left. */
async function followToTheEnd({ world, api, expect, tell, pass, trusted }: Scene, id: string, { requestOf, tasksOf }: Readers): Promise<void> {
  tell('the clock is moved past the window of workforce management');
  const officerMails = (): number => world.mail.messages.filter((each) => each.to.includes('dpo@example.com')).length;
  await pass(6 * hourMs, 60, async () => (await requestOf(id)).status === 'escalated');
  const left = (await tasksOf(id)).filter((task) => task.status === 'manual');
  expect('what never answered is with a person after 72 hours, and nothing else is', left.length > 0 && left.every((task) => task.system === 'workforce' && task.error_code === 'TASK_WINDOW_PASSED'), `${left.length} tasks`);
  await pass(secondMs, 20, async () => officerMails() > 0 && world.alerts.length > 0);
  expect('the data protection officer was told by mail and by a signed webhook', officerMails() > 0 && world.alerts.includes('quittance.dpo_manual_task'), `${officerMails()} mails, ${world.alerts.length} webhooks`);
  tell('what is left is with a person, and the data protection officer knows');
  // First the search, then, after another 72 hours, the erasure: it was not tried before the search was answered for.
  for (let part = 0; part < 2; part += 1) {
    await pass(6 * hourMs, 60, async () => (await requestOf(id)).status === 'escalated');
    const manual = readAnswer(manualTaskListSchema, await api.get(`/v1/manual-tasks?request_id=${id}`)).items;
    for (const each of manual) await api.post(`/v1/manual-tasks/${each.id}/settle`, { how: 'done_manually', evidence: 'ticket:4711' });
    await pass(secondMs, 60, async () => (await requestOf(id)).status !== 'escalated');
  }
  await pass(secondMs, 60, async () => (await requestOf(id)).status === 'closed');
  const { status, verdict } = await requestOf(id);
  expect('done by hand with its evidence, the request closes, and claims no more than was seen', status === 'closed' && verdict === 'partially_fulfilled', verdict ?? status);
  tell(`done by hand, closed: ${verdict ?? status}`);
  let certificate: Buffer | undefined;
  await pass(secondMs, 30, async () => (certificate = await api.findBytes(`${requestPath(id)}/certificate`).catch(() => undefined)) !== undefined);
  const checked = certificate === undefined ? undefined : verifyCertificate(certificate, { keys: await trusted() });
  expect('its certificate verifies', checked?.ok === true);
  expect('somebody else is untouched', JSON.stringify(world.genesys.dump()).includes(somebodyElse) && JSON.stringify(world.crm.dump()).includes('somebody@example.com'));
}

async function send({ api, intakeSecret }: Scene, requestId: string, person: typeof edith): Promise<string> {
  const body = { request_id: requestId, subject_email: person.email, subject_phone: person.phone, identity_proof_hash: person.proof, jurisdiction: 'DE' };
  const answer = await api.post('/v1/intake/contact-centre', body, signWebhook(intakeSecret, JSON.stringify(body), Date.now()));
  return readAnswer(acceptedSchema, answer).id;
}

const heldSchema = z.object({ contacts: z.array(z.object({ external_id: z.string(), records: z.record(z.string(), z.number()) })) });
const subjectsSchema = z.object({ subjects: z.array(z.looseObject({ email: z.string().nullish() })) });

/** What the systems really hold of her, by the simulators themselves. */
function whatTheyHold(world: World): readonly string[] {
  const contacts = heldSchema.parse(world.genesys.dump()).contacts.filter((each) => names.some((name) => name === each.external_id) && Object.keys(each.records).length > 0).length;
  const of = (system: Simulator): number => subjectsSchema.parse(system.dump()).subjects.filter((each) => each.email === edith.email).length;
  return renderTable(['system', 'still holds of her'], [['genesys', String(contacts)], ['crm', String(of(world.crm))], ['speech', String(of(world.speech))], ['workforce', `${of(world.workforce)} (never answered)`]]);
}
