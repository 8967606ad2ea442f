import { runConformance, type ConformancePerson } from '../../src/connector-kit/conformance/index.ts';
import { genesysConnector } from '../../src/connectors/genesys/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startGenesys, type GenesysSeed } from '../../src/sandbox/genesys/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { ada, adaIdentifiers, adaSubject, genesysConfigFor, type GenesysDump } from '../support/genesys-bench.ts';

// A test asks faster than a token may, and need not wait two days.
const account = { requests_per_minute: 100_000, gdpr_stage_ms: 60_000 };
const personal = ['ada@example.com', '2025550123', 'ada-4711', 'Ada Example'];
const dumpOf = (vendor: Simulator): GenesysDump => vendor.dump() as GenesysDump;
const refused = { client_secret: 'an old secret' };
const plantWith = (seed: GenesysSeed, identifier: Identifier = ada.externalId) => (vendor: Simulator): ConformancePerson => {
  vendor.seed({ account, ...seed });
  return { identifier, identifiers: adaIdentifiers, personal };
};
const bystander = { external_id: 'CRM-ADA-47110', records: { interactions: 9 } };

runConformance({
  title: 'PII deletion form',
  connector: genesysConnector,
  start: startGenesys,
  config: (url) => genesysConfigFor(url, { variants: [{ of: 'external_id', prefix: 'legacy:', case: 'lower' }] }),
  refusedConfig: (url) => genesysConfigFor(url, refused),
  plant: plantWith({ contacts: [{ external_id: 'CRM-ADA-4711', records: { interactions: 3, email: 2 } }, { external_id: 'legacy:ada-4711', records: { sms: 1 } }, bystander] }),
  left: (vendor) => dumpOf(vendor).contacts.filter((each) => each.external_id !== bystander.external_id).length,
  unknown: [{ kind: 'external_id', value: 'nobody' }],
  outcome: 'erased',
  // The form cannot be read back: what it says is all there is.
  confirmed: 'attested',
});

runConformance({
  title: 'GDPR API',
  connector: genesysConnector,
  start: startGenesys,
  config: (url) => genesysConfigFor(url, { api: 'gdpr' }),
  refusedConfig: (url) => genesysConfigFor(url, { api: 'gdpr', ...refused }),
  plant: plantWith({ subjects: [{ subject: adaSubject }, { subject: { externalContactId: 'contact-2', emailAddresses: ['bystander@example.com'] } }] }),
  plantMany: plantWith(
    { subjects: Array.from({ length: 12 }, (_, index) => ({ subject: { ...adaSubject, externalContactId: `contact-${index}`, dialerContactId: { id: `d${index}`, contactListId: 'list' } } })) },
    ada.email,
  ),
  left: (vendor) => dumpOf(vendor).subjects.filter((each) => each.emailAddresses?.includes('Ada@Example.com') === true).length,
  unknown: [
    { kind: 'external_id', value: 'nobody' },
    { kind: 'email', value: 'nobody@example.com' },
    { kind: 'phone', value: '+12025550199' },
  ],
  outcome: 'erased',
  lie: { method: 'POST', path: '^/api/v2/gdpr/requests' },
});
