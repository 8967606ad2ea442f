import { setTimeout as pause } from 'node:timers/promises';
import { startSandbox, type Sandbox } from '../../../src/sandbox/index.ts';
import { makePeople, plantPeople } from '../people.ts';
import { createSeededRandom, type SeededRandom } from '../seeded-random.ts';
import { readStanding } from '../standing.ts';
import { findViolations, type Accepted, type DeliveredMail } from '../violations.ts';
import type { Ground, Installation } from './ground.ts';
import { describePlan, drawPlan, slotServices, type Incident, type Plan } from './incidents.ts';
import { comeToRest, standingOverHttp } from './rest.ts';
import { drawMessages, sendAll } from './senders.ts';
import { openSlot, type Slot } from './slot.ts';

/** What a round came to. */
export interface RoundResult {
  readonly violations: readonly string[];
  /** What was done to the installation, in a few words. */
  readonly done: string;
  readonly requests: number;
  /** How many processes lived. */
  readonly processes: number;
  readonly tookMs: number;
  /** Where data, configuration and log are kept, when something was wrong. */
  readonly folder: string | undefined;
}

/** After trouble ends everything must come to rest within this, however slow the machine is. */
const restMs = 900_000;

/** Plays one round: an installation of real processes, people who ask, and everything that the seed has in store. */
export async function runProcessRound(ground: Ground, seed: string): Promise<RoundResult> {
  const began = Date.now();
  const random = createSeededRandom(seed);
  const plan = drawPlan(random.fork('plan'), ground.mode);
  const sandbox = await startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } });
  const installation = await ground.install(sandbox);
  let violations: readonly string[] = ['the round did not come to its end'];
  let told = { processes: 0, requests: 0 };
  try {
    const played = await play(ground, installation, sandbox, plan, random);
    violations = played.violations;
    told = played;
  } finally {
    await sandbox.close();
    if (violations.length === 0) installation.remove();
  }
  return { violations, done: describePlan(plan), ...told, tookMs: Date.now() - began, folder: violations.length === 0 ? undefined : installation.folder };
}

interface Played {
  readonly violations: readonly string[];
  readonly processes: number;
  readonly requests: number;
}

async function play(ground: Ground, installation: Installation, sandbox: Sandbox, plan: Plan, random: SeededRandom): Promise<Played> {
  const people = makePeople(random.fork('people'), 4 + random.int(5));
  sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
  sandbox.segment.seed({ account: { polls_per_stage: 1 } });
  plantPeople(sandbox, people);
  const restarts = random.fork('restarts');
  const open = (crashes: readonly (readonly string[])[]): Slot[] =>
    slotServices[ground.mode].map((services, index) => openSlot({ ...installation.environment, SERVICES: services }, crashes[index] ?? [], installation.stderr, () => restarts.int(400)));
  let slots = open(plan.crashes);
  const url = (): string | undefined => slots.map((slot) => slot.url()).find((each) => each !== undefined);
  const accepted: Accepted[] = [];
  const found: string[] = [];
  const clock = { offsetMs: 0 };
  // Its sessions are cut with the others: what looks through it may fail now and then.
  const watch = ground.mode === 'postgres' ? await installation.open() : undefined;
  let verifierKey = '';
  let processes = 0;
  const close = async (): Promise<void> => {
    const ends = await Promise.all(slots.map((slot) => slot.close()));
    found.push(...ends.flatMap((each) => each ?? []));
    for (const slot of slots) {
      const { lives, bugs } = slot.told();
      processes += lives;
      if (bugs > 0) found.push(`${bugs} processes were ended by a bug`);
    }
  };
  try {
    const endless = AbortSignal.timeout(300_000);
    const sending = sendAll(drawMessages(random.fork('messages'), people, plan.lastsMs), url, accepted, endless);
    // Waited for below; until then a failure is nobody's.
    sending.catch(() => undefined);
    await wreak(plan.incidents, slots, installation, sandbox);
    const vendors = [sandbox.stripe, sandbox.twilio, sandbox.segment];
    for (const each of vendors) each.clearFaults();
    clock.offsetMs = Math.max(0, ...plan.incidents.map((each) => (each.what === 'jump' ? each.offsetMs : 0)));
    for (const slot of slots) {
      slot.kill('SIGCONT');
      slot.disarm();
      slot.tell({ offsetMs: clock.offsetMs });
    }
    await sending;
    const endsAt = Date.now() + restMs;
    const operator = random.fork('operator');
    for (;;) {
      const look = async () => (watch === undefined ? standingOverHttp(url() ?? '', accepted.map((each) => each.id)) : readStanding(watch.main));
      found.push(...(await comeToRest(ground.mode, slots, vendors, look, url, { random: operator, endsAt, clock })).map((each) => `${each} never came to rest`));
      verifierKey = await keyOf(url());
      await close();
      const at = await installation.open();
      try {
        const { underWay } = await readStanding(at.main);
        if (underWay.length === 0 || Date.now() > endsAt) {
          const mails = sandbox.mail.messages.flatMap(({ to, subject, text, raw }): DeliveredMail[] => to.map((each) => ({ to: each, subject, text, messageId: messageIdOf(raw) })));
          found.push(...(await findViolations({ ...at, simulators: sandbox, people, accepted, verifierKeys: [verifierKey], mails, systems: ['stripe', 'twilio', 'segment'] })));
          return { violations: found, processes, requests: accepted.length };
        }
      } finally {
        await at.close();
      }
      // What the API does not tell of, such as a message to the officer, is under way still.
      slots = open([]);
    }
  } catch (error) {
    await close();
    return { violations: [...found, `the round failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`], processes, requests: accepted.length };
  } finally {
    await watch?.close();
  }
}

async function wreak(incidents: readonly Incident[], slots: readonly Slot[], installation: Installation, sandbox: Sandbox): Promise<void> {
  const began = Date.now();
  const lasting: Promise<void>[] = [];
  for (const incident of incidents) {
    await pause(Math.max(0, began + incident.atMs - Date.now()));
    const slot = 'slot' in incident ? slots[incident.slot] : undefined;
    switch (incident.what) {
      case 'kill':
        slot?.kill('SIGKILL');
        break;
      case 'stop':
        slot?.kill('SIGTERM');
        break;
      case 'freeze':
        slot?.kill('SIGSTOP');
        lasting.push(pause(incident.forMs).then(() => slot?.kill('SIGCONT')));
        break;
      case 'jump':
        slot?.tell({ offsetMs: incident.offsetMs });
        break;
      case 'cut':
        await installation.cut().catch(() => undefined);
        break;
      case 'down':
        await installation.down(incident.how, () => pause(incident.forMs));
        break;
      case 'fault':
        sandbox[incident.planned.vendor].fault(incident.planned.fault);
        break;
      case 'mail':
        sandbox.mail[incident.how === 'reject' ? 'rejectNext' : 'dropNext'](incident.count);
        break;
    }
  }
  await Promise.all(lasting);
}

const messageIdOf = (raw: string): string => /^message-id:\s*(\S+)/imu.exec(raw)?.[1] ?? '';

async function keyOf(url: string | undefined): Promise<string> {
  if (url === undefined) throw new Error('No process serves HTTP at the end');
  return (await (await fetch(`${url}/.well-known/quittance-log-key`)).text()).trim();
}
