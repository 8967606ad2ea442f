import { z } from 'zod';
import { Failure, travelsInClear, type Capabilities, type Connection, type Connector, type ConnectorContext, type ExportContext, type ExportedRecord, type ExportPage, type JobState, type RectifyContext } from '../../connector-kit/index.ts';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import { createAuthenticate } from './authenticate.ts';
import { createSend, firstFit, unexpected } from './call.ts';
import { httpConfigSchema } from './config.ts';
import { confirmAbsence } from './confirm-absence.ts';
import type { Declaration, EraseStep, LookUp } from './declaration.ts';
import { erasePerson } from './erase-person.ts';
import { locatePerson } from './locate-person.ts';
import { mainLookUps, readPages, recordId, type Page, type System } from './look-up.ts';
import { nobody } from './nobody.ts';
import { refuseSeveralPeople } from './other-people.ts';
import { readCallback } from './read-callback.ts';
import { confirmRectified, rectifyPerson } from './rectify-person.ts';
import { rehearse } from './rehearse.ts';
import { renderRequest } from './render-request.ts';
import { placeholdersOf } from './template.ts';

/** Any system without a connector of its own, by a purge contract that its connection declares: see `docs/guides/purge-contracts.md`. */
export const httpConnector: Connector<Declaration> = {
  name: 'http',
  title: 'Purge contract',
  config: httpConfigSchema,
  capabilities: (config): Capabilities => ({
    erases: kindsOf(config),
    locates: kindsOf(config).filter((kind) => mainLookUps(config.locate, kind).length > 0),
    actions: ['erase'],
    ...(config.access.length === 0 ? {} : { exports: kindsOf(config).filter((kind) => mainLookUps(config.access, kind).length > 0) }),
    isIdentityMap: config.identity_map,
    ...(config.sequential ? { isSequential: true } : {}),
    latencyMs: { typical: config.latency.typical_seconds * 1000, worst: config.latency.worst_seconds * 1000 },
    sanitization: config.sanitization,
    limits: { concurrency: config.limits.concurrency, callsPerSecond: config.limits.calls_per_second, burst: config.limits.burst },
  }),
  egress: ({ base_url: baseUrl, auth }) => [...new Set([baseUrl, ...(auth.scheme === 'oauth2' ? [auth.token_url] : [])].map((url) => new URL(url).origin))],
  network: (config) => ({
    refusesPrivate: !config.allow_private_network,
    ...(config.tls === undefined ? {} : { tls: { cert: config.tls.certificate, key: config.tls.client_key, ...(config.tls.authority === undefined ? {} : { ca: config.tls.authority }) } }),
  }),
  findings: (config) => [
    ...(confirmsByWordOnly(config) ? ['its erasures cannot be read back: they will be attested by the system and not verified'] : []),
    ...unchecked(config).map((type) => `the look-up of ${type} has neither match nor found: where the system ignores what it is asked by, everybody’s ${type} would be erased`),
    ...(isInClear(config) ? ['it is called by http over a public network: credentials and personal data can be read on the way'] : []),
  ],
  connect,
};

const kindsOf = (declaration: Declaration): readonly IdentifierKind[] => Object.keys(declaration.identifiers) as IdentifierKind[];
const confirmsByWordOnly = ({ confirm, locate }: Declaration): boolean => confirm?.by === 'attestation' || (confirm === undefined && locate.length === 0);

/** Types whose records are erased one by one, found by a question in which nothing shows whose they are. */
function unchecked({ locate, erase }: Declaration): readonly string[] {
  const asksByPath = (lookUp: LookUp): boolean => placeholdersOf(lookUp.request.path).some(({ name }) => name.startsWith('identifier.'));
  const found = locate.filter((each) => each.of === undefined && Object.keys(each.match).length === 0 && Object.keys(each.found).length === 0 && !asksByPath(each));
  // What belongs to such a record is found by it, and erased with it.
  const isErased = (lookUp: LookUp): boolean => erase.some(({ each }) => each !== undefined && (each === lookUp.type || locate.some(({ type, of }) => type === each && of === lookUp.type)));
  return [...new Set(found.filter(isErased).map(({ type }) => type))];
}

function isInClear({ base_url: baseUrl, auth, allow_private_network: isPrivate }: Declaration): boolean {
  return !isPrivate && [baseUrl, ...(auth.scheme === 'oauth2' ? [auth.token_url] : [])].some(travelsInClear);
}

function connect(declaration: Declaration): Connection {
  const system: System = { declaration, send: createSend(createAuthenticate(declaration.auth), declaration.failures) };
  const { callback } = declaration;
  const polled = polledByJobAlone(declaration);
  return {
    check: async (context) => check(context, system),
    locate: async (context, known) => locatePerson(context, system, known),
    erase: async (context) => erasePerson(context, system),
    confirm: async (context) => confirmAbsence(context, system),
    ...(declaration.access.length === 0 ? {} : { export: (context: ExportContext) => exportRecords(context, system) }),
    ...(declaration.rectify.length === 0 ? {} : { rectify: async (context: RectifyContext) => rectifyPerson(context, system), confirmRectified: async (context: RectifyContext) => confirmRectified(context, system) }),
    ...(callback === undefined ? {} : { readCallback: (incoming) => readCallback(callback, incoming) }),
    ...(polled === undefined ? {} : { jobState: async (context, job) => jobState(context, system, polled, job) }),
    rehearse: async (context) => rehearse(context, system),
  };
}

async function check(context: ConnectorContext, system: System): Promise<void> {
  const { check: declared, base_url: baseUrl, locate } = system.declaration;
  if (declared === undefined) {
    const identifier = kindsOf(system.declaration).flatMap((kind) => (mainLookUps(locate, kind).length > 0 ? [nobody(kind, 'connection-check')] : []))[0];
    if (identifier !== undefined) await locatePerson(context, system, [identifier]);
    return;
  }
  const answer = await system.send(context, renderRequest(baseUrl, declared.request, {}));
  if (firstFit([declared.works], answer) !== undefined) return;
  // Some systems greet a stranger with 200.
  if (answer.status >= 200 && answer.status < 300) throw new Failure('CONNECTION_AUTH', `The system answered the check with ${answer.status}, and not as it does with working credentials`);
  throw unexpected(answer, context.now());
}

/** Where an export goes on: at which of the look-ups, and at which of its pages; the first where none is named. */
const exportCursorSchema = z.strictObject({ lookUp: z.int().nonnegative(), page: z.strictObject({ page: z.string(), count: z.int().nonnegative(), pages: z.int().nonnegative() }).optional() });

/** Gives the records of one look-up after the other, each page with what belongs to its records; taken up again at the page that it had come to. */
async function* exportRecords(context: ExportContext, system: System): AsyncGenerator<ExportPage> {
  const { access } = system.declaration;
  const { identifier } = context;
  const kept = context.cursor === null ? undefined : exportCursorSchema.safeParse(context.cursor);
  if (kept?.success === false) throw new Failure('INTERNAL', 'The kept place of an export is not one of the http connector');
  if (kept === undefined) await refuseSeveralPeople(context, system, identifier);
  const start = kept?.data ?? { lookUp: 0 };
  for (const [at, lookUp] of mainLookUps(access, identifier.kind).entries()) {
    if (at < start.lookUp) continue;
    const nested = access.filter((each) => each.of === lookUp.type);
    for await (const page of readPages(context, system, lookUp, { identifier }, at === start.lookUp ? start.page : undefined)) {
      const own = recognised(page);
      yield { records: own.map((data): ExportedRecord => ({ type: lookUp.type, data })) };
      for (const data of own) {
        for (const each of nested) {
          for await (const inner of readPages(context, system, each, { identifier, parent: recordId(lookUp, data) })) yield { records: recognised(inner).map((one): ExportedRecord => ({ type: each.type, data: one })) };
        }
      }
      yield { records: [], resume: page.next === undefined ? { lookUp: at + 1 } : { lookUp: at, page: { ...page.next } } };
    }
  }
}

/** The records of a page, unless one does not show what was asked for and may not be left out. */
function recognised({ records, unmatched }: Page): readonly unknown[] {
  if (unmatched.length > 0) throw new Failure('SUBJECT_AMBIGUOUS', 'A look-up found a record that does not show what was asked for');
  return records;
}

type Polled = NonNullable<EraseStep['poll']>;

/** The one poll of a declaration, where its job's id is all that it needs. */
function polledByJobAlone(declaration: Declaration): Polled | undefined {
  const [poll, another] = declaration.erase.flatMap((step) => step.poll ?? []);
  if (poll === undefined || another !== undefined) return undefined;
  return placeholdersOf(JSON.stringify(poll.request)).every(({ name }) => name === 'vendor_job') ? poll : undefined;
}

async function jobState(context: ConnectorContext, system: System, poll: Polled, job: string): Promise<JobState> {
  const answer = await system.send(context, renderRequest(system.declaration.base_url, poll.request, { vendor_job: job }));
  const rule = firstFit(poll.answers, answer);
  if (rule === undefined) throw unexpected(answer, context.now());
  if (rule.is === 'unknown_job') return 'unknown';
  if (rule.is === 'pending' || (rule.is === 'failure' && rule.retry === 'later')) return 'running';
  return rule.is === 'failure' ? 'failed' : 'finished';
}
