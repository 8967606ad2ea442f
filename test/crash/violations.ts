import type { Database } from '../../src/platform/db/database.ts';
import type { Person, Simulators } from './people.ts';
import { bystanderViolations } from './violations/bystanders.ts';
import { effectViolations } from './violations/effects.ts';
import { readEvidence, type Evidence } from './violations/evidence.ts';
import { logViolations } from './violations/log.ts';
import { mailViolations } from './violations/mails.ts';
import { requestViolations } from './violations/requests.ts';
import { traceViolations } from './violations/traces.ts';
import { truthViolations } from './violations/truth.ts';
import { wakeViolations } from './violations/wakes.ts';

/** A request that was answered with 2xx, by the id that the answer gave, and who asked. */
export interface Accepted {
  readonly id: string;
  readonly person: Person;
}

/** A message that reached its mail server; its acceptance may not have been heard of. */
export interface DeliveredMail {
  readonly to: string;
  readonly messageId: string;
  readonly subject: string;
  readonly text: string;
}

/** All that there is to look at after a round: nothing runs any more, or nothing that runs has anything to do. */
export interface World {
  readonly main: Database;
  readonly audit: Database;
  readonly simulators: Simulators;
  /** Everybody that was planted and may have asked. */
  readonly people: readonly Person[];
  readonly accepted: readonly Accepted[];
  /** Verifier keys of the audit log; all that ever signed. */
  readonly verifierKeys: readonly string[];
  readonly mails: readonly DeliveredMail[];
  /** Which systems the configuration connects; those that any task is of when absent. */
  readonly systems?: readonly (keyof Simulators)[];
  /** How many calls that create something the network itself delivered twice; each may have had an effect of its own. */
  readonly networkRepeats?: number;
}

const rules: readonly ((evidence: Evidence) => readonly string[] | Promise<readonly string[]>)[] = [
  requestViolations,
  effectViolations,
  bystanderViolations,
  truthViolations,
  wakeViolations,
  logViolations,
  mailViolations,
  traceViolations,
];

/**
 * Says, from outside, what does not hold after a round: one line each, naming requests and tasks by their ids. Reads the tables of both
 * databases and what the simulators really hold and did; asks no part of the system about itself.
 */
export async function findViolations(world: World): Promise<readonly string[]> {
  const evidence = await readEvidence(world);
  const found: string[] = [];
  for (const rule of rules) found.push(...(await rule(evidence)));
  return [...new Set(found)];
}
