import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Identifier } from '../../contract/identifiers.ts';
import { Failure } from '../../platform/failure.ts';
import type { Connection, Connector } from '../connector.ts';
import { Death, eraseToEnd, type ErasureRun, type EraseToEndOptions } from './erase-to-end.ts';
import { createTestContext, type TestContext, type TestContextOptions } from './test-context.ts';

/** What the suite needs of a vendor's simulator; every simulator of the sandbox has it. */
export interface VendorUnderTest {
  readonly url: string;
  /** Changes that were really made. */
  readonly effects: readonly { readonly type: string; readonly object: string }[];
  readonly fault: (fault: {
    readonly kind: 'status' | 'hang' | 'malformed' | 'lie' | 'after';
    readonly method?: string;
    readonly path?: string;
    readonly times?: number;
    readonly status?: number;
    readonly retryAfter?: number;
  }) => void;
  readonly clearFaults: () => void;
  readonly advance: (ms: number) => void;
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

/** A person planted at the vendor. */
export interface ConformancePerson {
  /** The task's identifier. */
  readonly identifier: Identifier;
  /** Every identifier that resolution would have found, the task's included. */
  readonly identifiers: readonly Identifier[];
  /** Words that must be in no result, error or log: the person's addresses, numbers, names. */
  readonly personal: readonly string[];
}

/** One connector and how to put it to the test. */
export interface ConformanceSubject<Config, Vendor extends VendorUnderTest> {
  /** Told apart in the titles: the mode, say. */
  readonly title: string;
  readonly connector: Connector<Config>;
  readonly start: () => Promise<Vendor>;
  /** A configuration, before the connector's schema, that talks to the simulator at `url`. */
  readonly config: (url: string) => unknown;
  /** The same with a credential that the simulator refuses with 401. */
  readonly refusedConfig: (url: string) => unknown;
  /** Plants one person with a little of everything. Called on a simulator that was just reset; must set limits high enough for a test's pace. */
  readonly plant: (vendor: Vendor) => ConformancePerson;
  /** Plants one person with more of everything than one page holds. */
  readonly plantMany?: (vendor: Vendor) => ConformancePerson;
  /** How many of the planted person's objects the vendor still holds that an erasure must have removed or emptied. */
  readonly left: (vendor: Vendor) => number;
  /** Somebody the vendor has never seen, one identifier of each kind that the connector erases or locates by. */
  readonly unknown: readonly Identifier[];
  /** What a clean erasure comes to. */
  readonly outcome: 'erased' | 'anonymised' | 'retained';
  /** What the read-back of a clean erasure answers; `absent` when not said. */
  readonly confirmed?: 'absent' | 'attested';
  /** Which requests the vendor lies to about being done; without it no lie is tested. */
  readonly lie?: { readonly method?: string; readonly path?: string };
  readonly action?: 'erase' | 'anonymise';
}

/** What happens to one call: it is refused before it goes out, or its answer is lost after the vendor did the work. */
type Break = (call: number, go: () => Promise<Response>) => Promise<Response>;

interface Bench<Config, Vendor extends VendorUnderTest> {
  readonly subject: ConformanceSubject<Config, Vendor>;
  readonly vendor: Vendor;
  readonly connection: Connection;
  readonly egress: readonly string[];
  /** False where the vendor's interface has no search at all. */
  readonly canLocate: boolean;
}

interface Trial {
  readonly person: ConformancePerson;
  readonly test: TestContext;
  /** How many calls went out, and where to. */
  readonly origins: string[];
}

const effectTypes = (vendor: VendorUnderTest): string[] => vendor.effects.map((each) => each.type).toSorted();

function testFor<Config, Vendor extends VendorUnderTest>(
  bench: Bench<Config, Vendor>,
  person: ConformancePerson,
  options: Partial<TestContextOptions> & { breakCall?: Break } = {},
): Trial {
  const origins: string[] = [];
  const { breakCall, ...rest } = options;
  const test = createTestContext({
    egress: bench.egress,
    identifier: person.identifier,
    identifiers: person.identifiers,
    seenHere: true,
    ...(bench.subject.action === undefined ? {} : { action: bench.subject.action }),
    wrapFetch: (guarded) => async (input, init) => {
      origins.push(new URL(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url).origin);
      const go = async (): Promise<Response> => guarded(input, init);
      return breakCall === undefined ? go() : breakCall(origins.length, go);
    },
    ...rest,
  });
  return { person, test, origins };
}

async function erase<Config, Vendor extends VendorUnderTest>(bench: Bench<Config, Vendor>, trial: Trial, options: EraseToEndOptions = {}): Promise<ErasureRun> {
  return eraseToEnd(bench.connection, trial.test, { onWait: bench.vendor.advance, ...options });
}

/** Everything that an error could put in a log: its text, its detail, and its causes'. */
function textOfError(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? '';
  const own = JSON.stringify(Object.fromEntries(Object.entries(error)));
  return [error.name, error.message, own, error.cause === undefined ? '' : textOfError(error.cause)].join('\n');
}

function expectNothingPersonal(text: string, person: ConformancePerson): void {
  const lower = text.toLowerCase();
  for (const word of person.personal) {
    expect(lower.includes(word.toLowerCase()), 'a personal value was found in what is recorded').toBe(false);
    expect(lower.includes(encodeURIComponent(word).toLowerCase()), 'a URL-encoded personal value was found in what is recorded').toBe(false);
  }
}

/** What is recorded of a run in the open: results without their cursors (kept encrypted), and failures. */
function recorded(run: ErasureRun): string {
  const results = run.results.map((result) => ({ ...result, cursor: undefined }));
  return [JSON.stringify(results), ...run.failures.map(textOfError)].join('\n');
}

async function confirmToEnd<Config, Vendor extends VendorUnderTest>(bench: Bench<Config, Vendor>, trial: Trial, run: ErasureRun): Promise<string> {
  for (let look = 0; look < 50; look += 1) {
    const seen = await bench.connection.confirm(trial.test.step({ cursor: run.cursor, attempt: 1 }));
    if (seen.state !== 'later') return seen.state;
    trial.test.advance(seen.afterMs);
    bench.vendor.advance(seen.afterMs);
  }
  throw new Error('The read-back still says later after 50 looks');
}

/** Erases a freshly planted person with something broken on the way, and expects what a clean run comes to: same end, same effects, once each. */
async function expectSameEnd<Config, Vendor extends VendorUnderTest>(
  bench: Bench<Config, Vendor>,
  clean: CleanRun,
  trialOptions: Parameters<typeof testFor>[2],
  runOptions: EraseToEndOptions = {},
): Promise<ErasureRun> {
  bench.vendor.reset();
  const trial = testFor(bench, bench.subject.plant(bench.vendor), trialOptions);
  const run = await erase(bench, trial, runOptions);
  bench.vendor.clearFaults();
  expect(run.result).toMatchObject({ state: 'done', outcome: bench.subject.outcome });
  expect(bench.subject.left(bench.vendor)).toBe(0);
  expect(effectTypes(bench.vendor)).toEqual(clean.effects);
  expectNothingPersonal(recorded(run), trial.person);
  return run;
}

interface CleanRun {
  readonly calls: number;
  readonly steps: number;
  readonly effects: readonly string[];
}

async function cleanRun<Config, Vendor extends VendorUnderTest>(bench: Bench<Config, Vendor>): Promise<CleanRun> {
  bench.vendor.reset();
  const trial = testFor(bench, bench.subject.plant(bench.vendor));
  const run = await erase(bench, trial);
  return { calls: trial.origins.length, steps: run.results.length, effects: effectTypes(bench.vendor) };
}

/**
 * Registers the conformance suite for one connector against its simulator: second erase, unknown subject, pages, refused credentials, rate
 * limits, errors, time-outs, malformed bodies, deaths before and after each call, read-back, lies, egress, and no personal data in what is
 * recorded. Call it at the top of a Vitest file.
 */
export function runConformance<Config, Vendor extends VendorUnderTest>(subject: ConformanceSubject<Config, Vendor>): void {
  describe(`${subject.connector.name} connector (${subject.title})`, () => {
    let vendor: Vendor | undefined;
    const bench = (make = subject.config): Bench<Config, Vendor> => {
      if (vendor === undefined) throw new Error('The simulator is not running');
      const config = subject.connector.config.parse(make(vendor.url));
      return { subject, vendor, connection: subject.connector.connect(config), egress: subject.connector.egress(config), canLocate: subject.connector.capabilities(config).locates.length > 0 };
    };
    beforeAll(async () => {
      vendor = await subject.start();
    });
    beforeEach(() => vendor?.reset());
    afterAll(async () => vendor?.close());
    outcomeCases(subject, bench);
    vendorFaultCases(subject, bench);
    deathCases(bench);
    disclosureCases(subject, bench);
  });
}

type MakeBench<Config, Vendor extends VendorUnderTest> = (make?: (url: string) => unknown) => Bench<Config, Vendor>;

function outcomeCases<Config, Vendor extends VendorUnderTest>(subject: ConformanceSubject<Config, Vendor>, make: MakeBench<Config, Vendor>): void {
  it('accepts working credentials and refuses others as CONNECTION_AUTH, changing nothing', async () => {
    const good = make();
    const person = subject.plant(good.vendor);
    await good.connection.check(testFor(good, person).test.plain);
    const bad = make(subject.refusedConfig);
    const { test } = testFor(bad, person);
    await expect(bad.connection.check(test.plain)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    if (bad.canLocate) await expect(bad.connection.locate(test.plain, person.identifiers)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    await expect(bad.connection.erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(good.vendor.effects).toEqual([]);
  });
  it('locates a person it holds where it can look at all, and changes nothing by looking', async () => {
    const bench = make();
    const person = subject.plant(bench.vendor);
    const seen = await bench.connection.locate(testFor(bench, person).test.plain, person.identifiers);
    if (bench.canLocate) expect(seen.knows.length).toBeGreaterThan(0);
    else expect(seen).toEqual({ found: [], knows: [] });
    expect(bench.vendor.effects).toEqual([]);
  });
  it('knows nothing of an unknown person, matches nothing, and changes nothing', async () => {
    const bench = make();
    subject.plant(bench.vendor);
    const left = subject.left(bench.vendor);
    for (const identifier of subject.unknown) {
      const trial = testFor(bench, { identifier, identifiers: subject.unknown, personal: [] }, { seenHere: false, taskId: identifier.kind });
      const seen = await bench.connection.locate(trial.test.plain, [identifier]);
      expect(seen).toEqual({ found: [], knows: [] });
      const run = await erase(bench, trial);
      expect(run.result).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    }
    expect(bench.vendor.effects).toEqual([]);
    expect(subject.left(bench.vendor)).toBe(left);
  });
  it('erases, and the read-back agrees', async () => {
    const bench = make();
    const trial = testFor(bench, subject.plant(bench.vendor));
    expect(subject.left(bench.vendor)).toBeGreaterThan(0);
    const run = await erase(bench, trial);
    expect(run.result).toMatchObject({ state: 'done', outcome: subject.outcome });
    expect(subject.left(bench.vendor)).toBe(0);
    const before = effectTypes(bench.vendor);
    if (subject.outcome !== 'retained') expect(await confirmToEnd(bench, trial, run)).toBe(subject.confirmed ?? 'absent');
    expect(effectTypes(bench.vendor)).toEqual(before);
  });
  it.runIf(subject.outcome !== 'retained')('does not claim a second erasure: nothing is left to erase and nothing changes', async () => {
    const bench = make();
    const person = subject.plant(bench.vendor);
    await erase(bench, testFor(bench, person));
    const before = effectTypes(bench.vendor);
    const again = await erase(bench, testFor(bench, person, { taskId: 'second' }));
    expect(again.result.state).toBe('done');
    expect(['already_absent', 'nothing_matched']).toContain(again.result.state === 'done' ? again.result.outcome : undefined);
    expect(effectTypes(bench.vendor)).toEqual(before);
  });
  it.runIf(subject.plantMany !== undefined)('goes through every page, the empty and the last one too', async () => {
    const bench = make();
    const person = subject.plantMany?.(bench.vendor) ?? subject.plant(bench.vendor);
    const run = await erase(bench, testFor(bench, person), { stepsMax: 5000 });
    expect(run.result).toMatchObject({ state: 'done', outcome: subject.outcome });
    expect(subject.left(bench.vendor)).toBe(0);
  });
  it.runIf(subject.lie !== undefined)('never reports as gone what the vendor only says is gone', async () => {
    const bench = make();
    const trial = testFor(bench, subject.plant(bench.vendor));
    bench.vendor.fault({ kind: 'lie', times: 1000, ...subject.lie });
    const run = await erase(bench, trial);
    if (run.result.state === 'operator') expect(run.result.code).toBe('STILL_PRESENT');
    expect(await confirmToEnd(bench, trial, run)).toBe('present');
    expect(subject.left(bench.vendor)).toBeGreaterThan(0);
  });
}

function vendorFaultCases<Config, Vendor extends VendorUnderTest>(subject: ConformanceSubject<Config, Vendor>, make: MakeBench<Config, Vendor>): void {
  const cases = [
    { name: '429 with Retry-After', fault: { kind: 'status', status: 429, retryAfter: 7 }, code: 'VENDOR_RATE_LIMITED', retryAfterMs: 7000 },
    { name: '500', fault: { kind: 'status', status: 500 }, code: 'VENDOR_UNAVAILABLE', retryAfterMs: undefined },
    { name: 'a 500 after the work was done', fault: { kind: 'after', status: 500 }, code: 'VENDOR_UNAVAILABLE', retryAfterMs: undefined },
    { name: 'a malformed body', fault: { kind: 'malformed' }, code: 'VENDOR_MALFORMED', retryAfterMs: undefined },
    { name: 'no answer at all', fault: { kind: 'hang' }, code: 'VENDOR_TIMEOUT', retryAfterMs: undefined },
  ] as const;
  it.each(cases)('answers $name with $code, and ends the same when it comes again', async ({ fault, code, retryAfterMs }) => {
    const bench = make();
    const clean = await cleanRun(bench);
    const all = Array.from({ length: clean.calls }, (_, index) => index + 1);
    // Each unanswered call costs its whole time-out: the first, a middle and the last one must do.
    const chosen = fault.kind === 'hang' ? [1, Math.ceil(clean.calls / 2), clean.calls] : all;
    for (const at of new Set(chosen)) {
      const breakCall: Break = async (call, go) => {
        if (call === at) bench.vendor.fault({ ...fault, times: 1 });
        return go();
      };
      const run = await expectSameEnd(bench, clean, { breakCall, ...(fault.kind === 'hang' ? { timeoutMs: 300 } : {}) });
      expect(run.failures.map((each) => each.code)).toEqual([code]);
      if (retryAfterMs !== undefined) expect(run.failures[0]?.retryAfterMs).toBe(retryAfterMs);
    }
  });
  it('hands a 401 in the middle of an erasure to a person and goes on from there afterwards', async () => {
    const bench = make();
    const trial = testFor(bench, subject.plant(bench.vendor));
    bench.vendor.fault({ kind: 'status', status: 401 });
    await expect(erase(bench, trial)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    const run = await erase(bench, trial);
    expect(run.result).toMatchObject({ state: 'done', outcome: subject.outcome });
  });
}

function deathCases<Config, Vendor extends VendorUnderTest>(make: MakeBench<Config, Vendor>): void {
  it('ends the same with one effect each when the process dies just before any call', async () => {
    const bench = make();
    const clean = await cleanRun(bench);
    for (let at = 1; at <= clean.calls; at += 1) {
      const breakCall: Break = async (call, go) => {
        if (call === at) throw new Death();
        return go();
      };
      await expectSameEnd(bench, clean, { breakCall });
    }
  });
  it('ends the same with one effect each when the process dies between any call and its receipt', async () => {
    const bench = make();
    const clean = await cleanRun(bench);
    for (let at = 1; at <= clean.calls; at += 1) {
      const breakCall: Break = async (call, go) => {
        const answer = await go();
        if (call === at) throw new Death();
        return answer;
      };
      await expectSameEnd(bench, clean, { breakCall });
    }
  });
  it('ends the same with one effect each when the connection breaks between any call and its receipt', async () => {
    const bench = make();
    const clean = await cleanRun(bench);
    for (let at = 1; at <= clean.calls; at += 1) {
      const breakCall: Break = async (call, go) => {
        const answer = await go();
        if (call === at) throw new Failure('VENDOR_UNAVAILABLE', 'The connection to the vendor failed');
        return answer;
      };
      await expectSameEnd(bench, clean, { breakCall });
    }
  });
  it('ends the same with one effect each when the result of a step is lost', async () => {
    const bench = make();
    const clean = await cleanRun(bench);
    // Not the last: what that one found done already may honestly read otherwise, and the orchestrator keeps it with its intent.
    for (let step = 1; step < clean.steps; step += 1) await expectSameEnd(bench, clean, {}, { loseResultOfStep: step });
  });
  it('ends the same when every step has to yield at once', async () => {
    const bench = make();
    const clean = await cleanRun(bench);
    await expectSameEnd(bench, clean, { shouldYield: () => true }, { stepsMax: 2000 });
  });
}

function disclosureCases<Config, Vendor extends VendorUnderTest>(subject: ConformanceSubject<Config, Vendor>, make: MakeBench<Config, Vendor>): void {
  it('calls no host outside its egress list, which names origins only', async () => {
    const bench = make();
    expect(bench.egress.length).toBeGreaterThan(0);
    for (const origin of bench.egress) expect(new URL(origin).origin).toBe(origin);
    const trial = testFor(bench, subject.plant(bench.vendor));
    await bench.connection.locate(trial.test.plain, trial.person.identifiers);
    const run = await erase(bench, trial);
    await bench.connection.confirm(trial.test.step({ cursor: run.cursor, attempt: 1 }));
    expect(trial.origins.length).toBeGreaterThan(0);
    for (const origin of trial.origins) expect(bench.egress).toContain(origin);
  });
  it('puts nothing of the person into results, errors or the console', async () => {
    const bench = make();
    const person = subject.plant(bench.vendor);
    const console_: string[] = [];
    const keep = (chunk: unknown): boolean => console_.push(String(chunk)) > 0;
    const spies = [vi.spyOn(process.stdout, 'write').mockImplementation(keep), vi.spyOn(process.stderr, 'write').mockImplementation(keep)];
    const texts: string[] = [];
    try {
      for (const status of [400, 401, 403, 404, 409, 422, 429, 500, 503]) {
        bench.vendor.fault({ kind: 'status', status });
        const trial = testFor(bench, person, { taskId: String(status) });
        const first = bench.connection.erase(trial.test.step({ cursor: null, attempt: 1 }));
        texts.push(await first.then((result) => JSON.stringify({ ...result, cursor: undefined }), textOfError));
        bench.vendor.clearFaults();
      }
      texts.push(recorded(await erase(bench, testFor(bench, person))));
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    expectNothingPersonal([...texts, ...console_].join('\n'), person);
  });
}
