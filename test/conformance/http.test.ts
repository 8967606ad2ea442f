import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import type { DeclarationInput } from '../../src/connectors/http/declaration.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { purgeCredentials, startPurge } from '../../src/sandbox/purge/index.ts';
import type { Simulator } from '../../src/sandbox/index.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const external: Identifier = { kind: 'external_id', value: 'ADA-4711' };
const identifiers = { email: 'email', external_id: 'external_id' };
const personal = ['ada@example.com', 'ADA-4711', 'Ada Example'];

const left = (vendor: Simulator): number => (vendor.dump() as { subjects: { email?: string }[] }).subjects.filter((each) => each.email === email.value).length;
const unknown: readonly Identifier[] = [
  { kind: 'email', value: 'nobody@example.com' },
  { kind: 'external_id', value: 'NOBODY-1' },
];
const subjects = [{ email: 'ada@example.com', external_id: 'ADA-4711', cases: 2, notes: 3, attachments: 1 }, { email: 'bystander@example.com' }];

const ready = (token: string) => (url: string) => ({
  use: 'purge',
  base_url: url,
  auth: { scheme: 'bearer', token },
  allow_private_network: true,
  identifiers,
  scope: ['contacts', 'cases', 'notes', 'attachments'],
  origin_platform: 'genesys_cloud',
});

runConformance({
  title: 'the purge contract, by jobs',
  connector: httpConnector,
  start: startPurge,
  config: ready(purgeCredentials.token),
  refusedConfig: ready('revoked'),
  plant: (vendor) => {
    vendor.seed({ subjects });
    return { identifier: email, identifiers: [email, external], personal };
  },
  plantMany: (vendor) => {
    vendor.seed({ account: { page_size: 2 }, subjects: Array.from({ length: 9 }, (_, at) => ({ email: 'ada@example.com', external_id: `ADA-${at}` })) });
    return { identifier: email, identifiers: [email, ...Array.from({ length: 9 }, (_, at): Identifier => ({ kind: 'external_id', value: `ADA-${at}` }))], personal };
  },
  left,
  unknown,
  outcome: 'erased',
  lie: { method: 'POST', path: '^/erasures' },
});

runConformance({
  title: 'the purge contract, at once',
  connector: httpConnector,
  start: startPurge,
  config: ready(purgeCredentials.token),
  refusedConfig: ready('revoked'),
  plant: (vendor) => {
    vendor.seed({ account: { is_immediate: true, repeat_status: 200 }, subjects });
    return { identifier: email, identifiers: [email, external], personal };
  },
  left,
  unknown,
  outcome: 'erased',
  lie: { method: 'POST', path: '^/erasures' },
});

/** Records that are looked up first and then erased one by one, children before parents, two steps for each contact, with no idempotency key. */
const byRecord = (token: string) => (url: string): DeclarationInput => ({
  base_url: url,
  auth: { scheme: 'bearer', token },
  allow_private_network: true,
  identifiers: { email: 'email' },
  locate: [
    {
      type: 'contacts',
      request: { path: '/contacts', query: { email: '{{identifier.value}}', page: '{{page?}}' } },
      items: '$.contacts',
      match: { email: '$.email' },
      paging: { by: 'number' },
    },
    { type: 'notes', of: 'contacts', request: { path: '/contacts/{{parent.id}}/notes' }, items: '$.notes', paging: { by: 'link', next: '$.next' } },
  ],
  erase: [
    { each: 'notes', request: { method: 'DELETE', path: '/notes/{{item.id}}' }, answers: [{ status: 204, is: 'success' }, { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }] },
    { each: 'contacts', request: { method: 'DELETE', path: '/contacts/{{item.id}}' }, answers: [{ status: 204, is: 'success' }, { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }] },
    { each: 'contacts', request: { method: 'DELETE', path: '/deleted-contacts/{{item.id}}' }, answers: [{ status: 204, is: 'success' }, { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }] },
  ],
});

runConformance({
  title: 'records one by one',
  connector: httpConnector,
  start: startPurge,
  config: byRecord(purgeCredentials.token),
  refusedConfig: byRecord('revoked'),
  plant: (vendor) => {
    vendor.seed({ subjects });
    return { identifier: email, identifiers: [email], personal };
  },
  plantMany: (vendor) => {
    vendor.seed({ account: { page_size: 2 }, subjects: Array.from({ length: 5 }, () => ({ email: 'ada@example.com', notes: 5 })) });
    return { identifier: email, identifiers: [email], personal };
  },
  left,
  unknown: unknown.slice(0, 1),
  outcome: 'erased',
  lie: { method: 'DELETE' },
});
