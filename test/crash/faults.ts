import type { Fault } from '../../src/sandbox/simulator.ts';
import type { Simulators } from './people.ts';
import type { SeededRandom } from './seeded-random.ts';

/** A misbehaviour of one vendor. */
export interface PlannedFault {
  readonly vendor: keyof Simulators;
  readonly fault: Fault;
}

interface Place {
  readonly vendor: keyof Simulators;
  readonly method: string;
  readonly path: string;
  /** Whether the vendor can say done there and do nothing. */
  readonly canLie: boolean;
}

/** Where Quittance really calls: what it reads, and above all what changes something. */
const places: readonly Place[] = [
  { vendor: 'stripe', method: 'GET', path: '^/v1/customers', canLie: false },
  { vendor: 'stripe', method: 'POST', path: '^/v1/customers/cus_', canLie: true },
  { vendor: 'stripe', method: 'DELETE', path: '^/v1/customers/cus_[^/]+$', canLie: true },
  { vendor: 'stripe', method: 'DELETE', path: '/tax_ids/', canLie: true },
  { vendor: 'stripe', method: 'POST', path: '/detach$', canLie: true },
  { vendor: 'twilio', method: 'GET', path: '/(Messages|Calls)\\.json', canLie: false },
  { vendor: 'twilio', method: 'GET', path: '/Participant|/ParticipantConversations', canLie: false },
  { vendor: 'twilio', method: 'POST', path: '/Profiles/Lookup$', canLie: false },
  { vendor: 'twilio', method: 'DELETE', path: '/Messages/', canLie: true },
  { vendor: 'twilio', method: 'DELETE', path: '/(Calls|Recordings|Transcriptions)/', canLie: true },
  { vendor: 'twilio', method: 'DELETE', path: '/Profiles/', canLie: true },
  { vendor: 'segment', method: 'GET', path: '^/v1/spaces/', canLie: false },
  { vendor: 'segment', method: 'GET', path: '^/regulations\\?|^/regulations$', canLie: false },
  { vendor: 'segment', method: 'GET', path: '^/regulations/', canLie: false },
  { vendor: 'segment', method: 'POST', path: '^/regulations$', canLie: true },
];

type Kind = Fault['kind'];
const everywhere: readonly Kind[] = ['status', 'status', 'lost', 'after', 'hang', 'delay', 'malformed'];

/**
 * Draws up to `intensity` misbehaviours of the vendors, each on a call that really occurs and each for a few times only.
 * A delay is up to `delayMaxMs` long: longer than a call's time-out, so that an answer comes when nobody waits for it any more.
 */
export function makeFaults(random: SeededRandom, intensity: number, delayMaxMs = 4000): readonly PlannedFault[] {
  return Array.from({ length: random.int(intensity + 1) }, () => {
    const { vendor, method, path, canLie } = random.pick(places);
    const kind = canLie && random.chance(0.25) ? 'lie' : random.pick(everywhere);
    const about = { kind, method, path, times: 1 + random.int(kind === 'hang' || kind === 'lie' ? 2 : 4) };
    return { vendor, fault: { ...about, ...detailsOf(random, kind, delayMaxMs) } };
  });
}

function detailsOf(random: SeededRandom, kind: Kind, delayMaxMs: number): Partial<Fault> {
  switch (kind) {
    case 'status': {
      const status = random.pick([429, 500, 502, 503]);
      return { status, ...(status === 429 || random.chance(0.3) ? { retryAfter: 1 + random.int(2) } : {}) };
    }
    case 'after':
      return { status: random.pick([500, 502, 504]) };
    case 'delay':
      return { delayMs: 50 + random.int(delayMaxMs) };
    case 'lost':
    case 'hang':
    case 'lie':
    case 'malformed':
      return {};
  }
}
