import type { EraseAnswer, EraseStep, JsonTemplate, LookUp, RequestTemplate } from './declaration.ts';
import { filterNames, placeholdersOf, strayBraces } from './template.ts';

/** Something that a declaration must not say, and where. */
export interface Fault {
  readonly at: readonly (string | number)[];
  readonly message: string;
}

/** What is looked at; the schema has seen to the rest. */
interface Checked {
  readonly locate: readonly LookUp[];
  readonly access: readonly LookUp[];
  readonly erase: readonly EraseStep[];
  readonly check?: { readonly request: RequestTemplate } | undefined;
  readonly confirm?: { readonly by: 'locate' | 'attestation' } | { readonly by: 'request'; readonly request: RequestTemplate } | undefined;
  readonly callback?: object | undefined;
  readonly rectify: readonly { readonly each?: string | undefined; readonly fields: Readonly<Record<string, string>>; readonly request: RequestTemplate }[];
}

const always = ['identifier.value', 'identifier.raw', 'identifier.kind', 'identifier.field'];
const inErasure = [...always, 'request.id', 'request.source', 'request.law', 'request.jurisdiction', 'request.verified_by', 'task.id', 'idempotency_key'];
/** Names that may have no value, and must be written with `?`. */
const sometimes = ['identifier.raw', 'request.jurisdiction', 'page'];

/** Every text in a value, with where it is. */
function* textsIn(value: JsonTemplate | undefined, at: readonly (string | number)[]): Generator<{ text: string; at: readonly (string | number)[] }> {
  if (typeof value === 'string') yield { text: value, at };
  else if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) yield* textsIn(each, [...at, Array.isArray(value) ? Number(name) : name]);
  }
}

function* faultsOfRequest(request: RequestTemplate, at: readonly (string | number)[], known: readonly string[]): Generator<Fault> {
  const isErasure = known.includes('idempotency_key');
  if (request.body !== undefined && request.method === 'GET') yield { at: [...at, 'body'], message: 'a GET has no body' };
  if (request.text !== undefined && (request.method === 'GET' || request.body !== undefined)) yield { at: [...at, 'text'], message: 'a GET has no text, and a request has a body or a text' };
  for (const each of textsIn({ path: request.path, headers: request.headers, query: request.query, body: request.body ?? null, text: request.text?.body ?? null }, at)) {
    if (strayBraces(each.text)) yield { at: each.at, message: 'has double braces that are no placeholder such as {{identifier.value | lower}}' };
    for (const placeholder of placeholdersOf(each.text)) {
      const { name } = placeholder;
      const isEarlierJob = isErasure && /^job\.[a-z][a-z0-9-]{0,39}$/u.test(name);
      if (!known.includes(name) && !isEarlierJob) yield { at: each.at, message: `{{${name}}} is not known here; known: ${known.join(', ')}${isErasure ? ', job.<connection>' : ''}` };
      if ((sometimes.includes(name) || name.startsWith('correction.')) && !placeholder.isOptional) yield { at: each.at, message: `{{${name}}} may have no value: write {{${name}?}}, which leaves the field out then` };
      for (const filter of placeholder.filters) if (!filterNames.includes(filter)) yield { at: each.at, message: `there is no filter ${filter}; known: ${filterNames.join(', ')}` };
    }
  }
  if (placeholdersOf(request.path).some((each) => each.isOptional)) yield { at: [...at, 'path'], message: 'nothing in a path is optional' };
}

function* faultsOfLookUps(lookUps: readonly LookUp[], at: string): Generator<Fault> {
  const main = lookUps.filter((each) => each.of === undefined).map((each) => each.type);
  for (const [index, lookUp] of lookUps.entries()) {
    const known = [...always, ...(lookUp.of === undefined ? [] : ['parent.id']), ...(lookUp.paging === undefined ? [] : ['page'])];
    yield* faultsOfRequest(lookUp.request, [at, index, 'request'], known);
    if (lookUp.of !== undefined && !main.includes(lookUp.of)) yield { at: [at, index, 'of'], message: 'must be the type of a look-up that has no `of` itself' };
  }
}

function* faultsOfBases(answers: readonly EraseAnswer[], at: readonly (string | number)[]): Generator<Fault> {
  for (const [index, answer] of answers.entries()) {
    if (answer.is !== 'retained' || answer.legal_basis?.startsWith('$') !== true || answer.legal_bases.length > 0) continue;
    yield { at: [...at, index, 'legal_bases'], message: 'is needed where legal_basis is read from the answer: the words that it may have' };
  }
}

function* faultsOfSteps({ erase, locate }: Checked): Generator<Fault> {
  const types = erase.map((step) => step.each);
  for (const [index, step] of erase.entries()) {
    const at = ['erase', index];
    const known = [...inErasure, ...(step.each === undefined ? [] : ['item.id'])];
    yield* faultsOfRequest(step.request, [...at, 'request'], known);
    if (step.poll !== undefined) yield* faultsOfRequest(step.poll.request, [...at, 'poll', 'request'], [...known, 'vendor_job']);
    const waits = step.answers.some((answer) => answer.is === 'pending');
    if (step.poll !== undefined && !waits) yield { at: [...at, 'poll'], message: 'no answer of this step is pending, so nothing would be polled' };
    const polls = step.poll === undefined ? [] : placeholdersOf(JSON.stringify(step.poll.request)).map(({ name }) => name);
    if (polls.includes('vendor_job') && step.answers.some((answer) => answer.is === 'pending' && answer.job === undefined)) {
      yield { at: [...at, 'answers'], message: 'the poll needs {{vendor_job}}: every pending answer must say where its job is' };
    }
    yield* faultsOfBases(step.answers, [...at, 'answers']);
    yield* faultsOfBases(step.poll?.answers ?? [], [...at, 'poll', 'answers']);
    if (step.each === undefined) continue;
    if (!locate.some((lookUp) => lookUp.type === step.each)) yield { at: [...at, 'each'], message: 'must be the type of a look-up under locate' };
    if (index > 0 && types[index - 1] !== step.each && types.slice(0, index).includes(step.each)) yield { at: [...at, 'each'], message: 'the steps of one type must follow each other' };
    const parent = locate.find((lookUp) => lookUp.type === step.each)?.of;
    if (parent !== undefined && types.slice(0, index).includes(parent)) yield { at: [...at, 'each'], message: `must be erased before ${parent}, by which they are found` };
  }
}

function* faultsOfRectifying({ rectify, locate }: Checked): Generator<Fault> {
  for (const [index, step] of rectify.entries()) {
    const known = [...inErasure, ...Object.keys(step.fields).map((field) => `correction.${field}`), ...(step.each === undefined ? [] : ['item.id'])];
    yield* faultsOfRequest(step.request, ['rectify', index, 'request'], known);
    if (step.request.method === 'GET' || step.request.method === 'DELETE') yield { at: ['rectify', index, 'request', 'method'], message: 'must be POST, PUT or PATCH: a correction neither reads nor deletes' };
    if (step.each !== undefined && !locate.some((lookUp) => lookUp.type === step.each && lookUp.of === undefined)) yield { at: ['rectify', index, 'each'], message: 'must be the type of a look-up under locate that has no `of`' };
  }
}

/** What the schema alone cannot see: names that a place does not have, look-ups that lead nowhere, steps in an order that loses records. */
export function* checkDeclaration(declaration: Checked): Generator<Fault> {
  yield* faultsOfLookUps(declaration.locate, 'locate');
  yield* faultsOfLookUps(declaration.access, 'access');
  yield* faultsOfSteps(declaration);
  yield* faultsOfRectifying(declaration);
  if (declaration.check !== undefined) yield* faultsOfRequest(declaration.check.request, ['check', 'request'], []);
  const { confirm, locate, callback, erase } = declaration;
  const hasMain = locate.some((lookUp) => lookUp.of === undefined);
  if (confirm?.by === 'request') yield* faultsOfRequest(confirm.request, ['confirm', 'request'], always);
  if (confirm?.by === 'locate' && !hasMain) yield { at: ['confirm', 'by'], message: 'there is no look-up under locate to confirm by' };
  if (declaration.check === undefined && !hasMain) yield { at: ['check'], message: 'is needed where there is no look-up under locate: something must show that the credentials work' };
  const isSeen = erase.some((step) => step.poll !== undefined) || confirm?.by === 'request' || (confirm?.by !== 'attestation' && hasMain);
  if (callback !== undefined && !isSeen) yield { at: ['callback'], message: 'needs a poll or a confirm: a callback can be lost, and proves nothing by itself' };
}
