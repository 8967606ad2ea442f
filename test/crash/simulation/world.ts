import { randomBytes } from 'node:crypto';
import { compose, serviceNames, type ServiceName } from '../../../src/composition.ts';
import { auditVerify } from '../../../src/modules/audit/index.ts';
import { notificationSweep } from '../../../src/modules/notifications/index.ts';
import { sweep } from '../../../src/modules/orchestration/index.ts';
import { createLog, type Log } from '../../../src/platform/log.ts';
import { segmentDefinition } from '../../../src/sandbox/segment/index.ts';
import { createSimulator, type SimulatorCore } from '../../../src/sandbox/simulator.ts';
import { stripeDefinition } from '../../../src/sandbox/stripe/index.ts';
import { twilioDefinition } from '../../../src/sandbox/twilio/index.ts';
import { plantPeople, type Person } from '../people.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { readStanding } from '../standing.ts';
import type { Accepted, World as Evidence } from '../violations.ts';
import type { Chaos } from './chaos.ts';
import { environment, origins, signed, simConfig, simSettings } from './configuration.ts';
import { seedCrypto } from './seeded-crypto.ts';
import { createSimStore, type SimStore } from './sim-database.ts';
import { createSimQueue, type SimQueue } from './sim-jobs.ts';
import { createSimNetwork, type SimNetwork } from './sim-network.ts';
import { openSimPGlite } from './sim-pglite.ts';
import { createSimProcess, Died, type SimProcess } from './sim-process.ts';
import { createVirtualTime, owners, timeless, type VirtualTime } from './virtual-time.ts';

/** One installation of Quittance, its vendors and the people who write to it, on virtual time. */
export interface World {
  readonly plant: (people: readonly Person[]) => void;
  /** Starts the processes, and what is done to them from outside. */
  readonly begin: () => void;
  /** Has a person's request sent, `afterMs` from now, until somebody takes it. */
  readonly ask: (person: Person, afterMs: number) => void;
  readonly pass: (ms: number) => Promise<void>;
  /** Ends all trouble: what is frozen goes on, clocks are right again. */
  readonly calm: () => void;
  /** Lets time pass until nothing is under way any more, with an operator at the desk; answers who never came to rest. */
  readonly rest: (atMostMs: number) => Promise<readonly string[]>;
  /** Stops the processes in order. */
  readonly end: () => Promise<void>;
  readonly evidence: () => Evidence;
  /** Errors that processes logged and that nothing in the world explains. */
  readonly bugs: () => readonly string[];
  readonly events: () => number;
  readonly lastedMs: () => number;
}

/** What outlives a round, since making it takes longer than a round. */
interface Ground {
  readonly time: VirtualTime;
  readonly main: SimStore;
  readonly audit: SimStore;
  readonly vendors: { readonly stripe: SimulatorCore; readonly twilio: SimulatorCore; readonly segment: SimulatorCore };
  chaos: Chaos | undefined;
}

let ground: Promise<Ground> | undefined;

async function layGround(): Promise<Ground> {
  const time = createVirtualTime();
  const fate = (point: 'statement' | 'commit' | 'committed') => made.chaos?.databaseFate(point) ?? 'well';
  // From here on, so that no timer of what is opened comes at a time of the machine's.
  time.install();
  const [first, second] = await owners.run(timeless, async () => {
    const opened = await openSimPGlite();
    return [opened, await openSimPGlite(await opened.dumpDataDir('none'))];
  });
  const made: Ground = {
    time,
    main: await createSimStore(time, first, 'main', fate),
    audit: await createSimStore(time, second, 'audit', fate),
    vendors: {
      stripe: createSimulator(stripeDefinition(), time.now),
      twilio: createSimulator(twilioDefinition(), time.now),
      segment: createSimulator(segmentDefinition(), time.now),
    },
    chaos: undefined,
  };
  for (const each of Object.values(made.vendors)) await each.app.ready();
  return made;
}

/** A place that a process runs in; when one dies there another is started. */
interface Slot {
  readonly services: readonly ServiceName[];
  process: SimProcess | undefined;
}

/** Which systems a round's installation is connected to: one often, since a life there is short, and all three now and then. */
const systemsOf: readonly (readonly (keyof typeof origins)[])[] = [['stripe'], ['stripe'], ['stripe'], ['segment'], ['segment'], ['stripe', 'segment'], ['twilio'], ['stripe', 'twilio', 'segment']];

const startMs = Date.parse('2026-03-02T09:00:00Z');
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** How long a process hangs: for less than a lease, for more, and until everybody has given it up. */
const hangsMs = [5000, 45_000, 180_000] as const;
/** How long a caller waits for an answer. */
const callerMs = 15_000;
/** How long a process that was told to stop may take before it is killed. */
const stopMs = 60_000;

/** Opens the world of one round. */
export async function openWorld(random: SeededRandom, chaos: Chaos): Promise<World> {
  const held = await (ground ??= layGround());
  const { time, main, audit, vendors } = held;
  held.chaos = undefined;
  seedCrypto(random.fork('crypto'));
  const choice = random.fork('choice');
  const beganAt = startMs + random.int(365) * 86_400_000 + random.int(86_400_000);
  time.restart(beganAt, (count) => choice.int(count));
  await main.reset();
  await audit.reset();
  for (const each of Object.values(vendors)) each.reset();
  vendors.stripe.seed({ account: { requests_per_second: 1000 } });
  vendors.segment.seed({ account: { polls_per_stage: 1 } });
  held.chaos = chaos;

  const queue: SimQueue = createSimQueue(time, main, random.fork('queue'), chaos.jobFate);
  const network: SimNetwork = createSimNetwork(time, new Map(Object.entries(vendors).map(([name, vendor]) => [origins[name as keyof typeof origins], vendor])), random.fork('network'), chaos.callFate);
  const systems = random.pick(systemsOf);
  const config = simConfig({ approval: random.chance(0.2) ? 'required' : 'none', order: random.chance(0.3), concurrency: random.pick([1, 2, 8]), systems });
  const isEmbedded = random.chance(0.5);
  const slots: Slot[] = (isEmbedded ? [[...serviceNames]] : [['http'], ['worker'], ['worker'], ['http', 'worker', 'scheduler']]).map((services) => ({ services: services as ServiceName[], process: undefined }));
  const masterKey = randomBytes(32).toString('base64');
  const accepted: Accepted[] = [];
  const dice = random.fork('dice');
  const bugs: string[] = [];
  let wasHourOff = false;
  const log = createSimLog(bugs, () => wasHourOff);
  let verifierKey = '';
  let people: readonly Person[] = [];
  let events = 0;
  let ending = false;
  let unanswered = 0;

  /** Notes what no trouble of this world explains. */
  const complain = (what: string, error: unknown): void => {
    const { code } = error as { readonly code?: string };
    if (!(error instanceof Died) && !expected.has(code ?? '')) bugs.push(`${what}: ${String(error)}`);
  };
  const launch = (slot: Slot): void => {
    const process = createSimProcess(time, slot.services.join('+'), slot.services, chaos.strikes, hang);
    slot.process = process;
    process.skewMs = chaos.on ? dice.pick([0, 0, 0, -90_000, 90_000, 15_000, 600_000]) : 0;
    process.onDeath(() => {
      if (!ending) time.schedule(dice.int(20_000), () => launch(slot));
    });
    void start(process);
  };
  const hang = (process: SimProcess): void => {
    process.freeze();
    time.schedule(dice.pick(hangsMs), process.thaw);
  };
  const start = async (process: SimProcess): Promise<void> => {
    try {
      const quittance = await process.enter(() => composeProcess(process));
      process.stop = quittance.stop;
      process.ready = true;
      verifierKey = (await quittance.audit.keys.read()).current.verifierKey.text;
    } catch (error) {
      // It died on the way, or a database connection broke: whoever runs it starts it again.
      complain('a start failed', error);
      process.kill();
    }
  };
  const composeProcess = (process: SimProcess) =>
    compose({
      settings: simSettings(masterKey),
      config,
      services: process.services,
      log,
      clock: { now: () => time.now() + process.skewMs },
      random: { bytes: (size) => dice.bytes(size), fraction: () => dice.fraction(), digits: (count) => String(dice.int(10 ** count)).padStart(count, '0') },
      secrets: { environment, readFile: () => '' },
      boundary: () => process.point('boundary'),
      edges: {
        openDatabases: async () => {
          const kind = isEmbedded ? 'embedded' : 'postgres';
          return { main: main.open(process, kind), audit: audit.open(process, kind), close: async () => undefined };
        },
        startJobs: async (_database, _kinds, itsLog) => queue.join(process, itsLog),
        transport: network.transportOf(process),
        createMailer: () => network.mailerOf(process),
        listen: async (app) => {
          process.app = app;
          return 'http://quittance.test';
        },
      },
    });

  /** Calls the API at any process that serves it; undefined when no answer came. */
  const call = async (method: 'GET' | 'POST', url: string, body?: string, headers?: Record<string, string>): Promise<{ readonly status: number; readonly body: Record<string, unknown> } | undefined> => {
    const process = dice.pick([...slots.map((slot) => slot.process), undefined].filter((each) => each?.ready === true && !each.dead && each.app !== undefined));
    if (process?.app === undefined) return undefined;
    const { app } = process;
    const given = headers ?? { authorization: `Bearer ${environment['API_KEY'] ?? ''}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const answer = process.enter(() => app.inject({ method, url, headers: given, ...(body === undefined ? {} : { payload: body }) }));
    const first = await Promise.race([answer, time.sleep(callerMs).then(() => undefined)]);
    if (first === undefined || process.dead) return undefined;
    return { status: first.statusCode, body: first.body.startsWith('{') ? (JSON.parse(first.body) as Record<string, unknown>) : {} };
  };

  /** Reads the newest code in a mailbox and gives it, and asks for another one when it is not taken. */
  const prove = async (requestId: string, address: string): Promise<void> => {
    const path = `/v1/privacy-requests/${requestId}/verification`;
    const open = { 'content-type': 'application/json' };
    for (;;) {
      await time.sleep(20_000 + dice.int(2 * minuteMs));
      // Answered, with the answer lost: the person sees that their request goes on.
      const seen = await call('GET', `/v1/privacy-requests/${requestId}`);
      if (seen?.status === 200 && seen.body['status'] !== 'verifying') return;
      const mail = network.mails.findLast((each) => each.to.toLowerCase() === address.toLowerCase() && each.text.includes('give this code'));
      const code = /asked: ([\d -]+)/u.exec(mail?.text ?? '')?.[1];
      const answer = code === undefined ? undefined : await call('POST', path, JSON.stringify({ code }), open);
      if (answer?.status === 200) return;
      if (answer !== undefined) await call('POST', path, JSON.stringify({ send_again: true }), open);
    }
  };

  const ask = (person: Person, afterMs: number): void => {
    const id = `msg_${dice.bytes(8).toString('hex')}`;
    const body = JSON.stringify(person.request);
    // Where nobody vouches for the person, they prove their address with the code that is mailed to it.
    const provesWith = dice.chance(0.2) ? person.request['email'] : undefined;
    unanswered += 1;
    const send = async (): Promise<void> => {
      for (;;) {
        const answer = await call('POST', `/v1/intake/${provesWith === undefined ? 'crm' : 'portal'}`, body, signed(body, id, time.now()));
        if (answer !== undefined && answer.status >= 200 && answer.status < 300) {
          const requestId = String(answer.body['id']);
          if (!accepted.some((each) => each.id === requestId)) accepted.push({ id: requestId, person });
          // Who was answered may still send it again.
          if (!chaos.on || !dice.chance(0.1)) {
            if (provesWith !== undefined) await prove(requestId, provesWith);
            unanswered -= 1;
            return;
          }
        }
        await time.sleep(1000 + dice.int(30_000));
      }
    };
    time.schedule(afterMs, () => void send());
  };

  /** Does something to one process from outside. */
  const incident = (): void => {
    const waitMs = chaos.nextIncidentMs();
    if (waitMs === Infinity) return;
    time.schedule(waitMs, () => {
      if (!chaos.on) return;
      const slot = dice.pick(slots);
      const { process } = slot;
      if (process !== undefined && !process.dead) hit(process);
      // A vendor says done and does nothing.
      if (chaos.lies()) dice.pick(systems.map((name) => vendors[name])).fault({ kind: 'lie', times: 1 + dice.int(4) });
      incident();
    });
  };
  const hit = (process: SimProcess): void => {
    switch (dice.pick(['kill', 'stop', 'freeze', 'jump'] as const)) {
      case 'kill':
        process.kill();
        return;
      case 'stop':
        if (process.stop === undefined) return;
        process.ready = false;
        stop(process, process.stop);
        return;
      case 'freeze':
        hang(process);
        return;
      case 'jump':
        process.skewMs = dice.pick([0, -hourMs, hourMs, 30_000, -30_000]);
        wasHourOff ||= Math.abs(process.skewMs) === hourMs;
    }
  };

  /** Tells a process to stop, and kills it when it has, or when it takes too long: then it is one that hangs. */
  const stop = (process: SimProcess, itsStop: () => Promise<void>): void => {
    process
      .enter(itsStop)
      .catch((error: unknown) => complain('a stop failed', error))
      .finally(process.kill);
    time.schedule(stopMs, process.kill);
  };
  const ring = (): void => {
    time.schedule(minuteMs, () => {
      queue.ring(sweep.name);
      queue.ring(notificationSweep.name);
      ring();
    });
  };
  const pass = async (ms: number): Promise<void> => {
    events += await time.run(() => false, time.now() + ms);
  };
  /** Runs the world until something of its own is done, for an hour at most. */
  const until = async <Result>(work: Promise<Result>): Promise<Result> => {
    let isDone = false;
    const mark = (): void => {
      isDone = true;
    };
    work.then(mark, mark);
    events += await time.run(() => isDone, time.now() + 60 * minuteMs);
    if (!isDone) throw new Error('The simulated world waited an hour for something that should take moments');
    return work;
  };

  const operate = async (): Promise<void> => {
    const listed = await call('GET', '/v1/manual-tasks?limit=200');
    for (const each of (listed?.body['items'] ?? []) as { id: string; request_id: string; task_id: string | null; reason_code: string }[]) {
      if (each.reason_code === 'APPROVAL_NEEDED') {
        await call('POST', `/v1/privacy-requests/${each.request_id}/approve`);
        continue;
      }
      const how = dice.pick(each.task_id === null ? (['retry'] as const) : (['retry', 'retry', 'skipped_by_operator'] as const));
      await call('POST', `/v1/manual-tasks/${each.id}/settle`, JSON.stringify({ how, ...(how === 'retry' ? {} : { reason: 'test_system' }) }));
    }
  };

  return {
    plant: (given) => {
      people = given;
      plantPeople(vendors, given);
    },
    begin: () => {
      for (const slot of slots) launch(slot);
      ring();
      incident();
      if (dice.chance(0.3)) time.schedule(dice.int(20 * minuteMs), () => queue.ring(auditVerify.name));
    },
    ask,
    pass,
    calm: () => {
      chaos.on = false;
      for (const vendor of Object.values(vendors)) vendor.clearFaults();
      for (const { process } of slots) {
        process?.thaw();
        if (process !== undefined) process.skewMs = 0;
      }
    },
    rest: async (atMostMs) => {
      const endsAt = time.now() + atMostMs;
      for (let visits = 0; ; ) {
        await pass(minuteMs);
        const state = await readStanding(main.watch);
        if (state.underWay.length === 0 && unanswered === 0) {
          if (state.withPeople === 0 || visits >= 4) return [];
          visits += 1;
          await until(operate());
        }
        if (time.now() > endsAt) return [...state.underWay, ...(unanswered === 0 ? [] : [`${unanswered} messages that nobody took`])];
      }
    },
    end: async () => {
      ending = true;
      const stopping = slots.map(async ({ process }) => (process?.stop === undefined || process.dead ? undefined : process.enter(process.stop)));
      for (const each of await until(Promise.allSettled(stopping))) if (each.status === 'rejected') complain('a stop failed', each.reason);
    },
    evidence: () => ({ main: main.watch, audit: audit.watch, simulators: vendors, people, accepted, verifierKeys: [verifierKey], mails: network.mails, networkRepeats: network.repeats(), systems }),
    bugs: () => bugs,
    events: () => events,
    lastedMs: () => time.now() - beganAt,
  };
}

/** What the world itself does to a process, and what a process may complain of. */
const expected = new Set(['57P01', '40001']);

/**
 * A log that notes every error that the world did not make: a bug that somebody would have to look into. Where a clock was an hour off, a row that
 * waits for a signed head is rightly said to have waited for more than an hour.
 */
function createSimLog(bugs: string[], wasHourOff: () => boolean): Log {
  return createLog('error', {
    write: (line) => {
      const { msg, err, check } = JSON.parse(line) as { readonly msg: string; readonly check?: string; readonly err?: { readonly name?: string; readonly code?: string; readonly detail?: string; readonly frames?: readonly string[] } };
      if (err?.name === 'Died' || expected.has(err?.code ?? '')) return;
      if (check === 'head-age' && wasHourOff()) return;
      bugs.push(`a bug was logged: ${msg}: ${err?.code ?? err?.name ?? check ?? ''} ${err?.detail ?? err?.frames?.[0] ?? ''}`);
    },
  });
}
