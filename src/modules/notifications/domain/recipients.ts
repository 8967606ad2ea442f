import type { IdentifierKind } from '../../../contract/identifiers.ts';
import type { ConfigDocument } from '../../../platform/config/document.ts';
import { Failure } from '../../../platform/failure.ts';

/** A recipient of people's data who is told by e-mail what became of it, and what of a person the message may carry. */
export interface MailedRecipient {
  /** Its name in the configuration, as the log has it. */
  readonly code: string;
  readonly name: string;
  readonly contact: string;
  /** By which of their names people are told of there. */
  readonly identifiers: readonly IdentifierKind[];
  /** Fields whose corrected value it is told. */
  readonly corrections: readonly string[];
  readonly reference: string | undefined;
  readonly language: string | undefined;
}

/** Whom the data of some systems was disclosed to. */
export interface DisclosedTo {
  /** Who gets a notice. */
  readonly mailed: readonly MailedRecipient[];
  /** Systems whose records name somebody who is not declared, so that only a person can tell them. */
  readonly undeclared: readonly string[];
}

/** The declared recipients. */
export interface Recipients {
  /** Whom these connections' records were disclosed to, as their `holds` say. */
  readonly of: (connections: readonly string[]) => DisclosedTo;
  /** Undefined where the configuration does not have it any more. */
  readonly find: (code: string) => MailedRecipient | undefined;
  /** What the configuration leaves to people: recipients whom nothing tells. */
  readonly findings: readonly string[];
}

const wrong = (at: string, what: string): Failure => new Failure('CONFIG_INVALID', `${at}: ${what}`);

/**
 * Makes the recipients of a configuration. Fails with `CONFIG_INVALID` for two of one name, for a connection that there is not, and for one whom no record names:
 * misspelt, it would never be told.
 */
export function createRecipients(config: Pick<ConfigDocument, 'recipients' | 'connections'>): Recipients {
  const named = new Map(Object.entries(config.connections).map(([connection, { holds = {} }]) => [connection, new Set(Object.values(holds).flatMap((hold) => hold.recipients))]));
  const declared = Object.entries(config.recipients);
  const byName = new Map<string, MailedRecipient | 'connection'>();
  for (const [code, recipient] of declared) {
    const at = `/recipients/${code}`;
    if (byName.has(recipient.name)) throw wrong(`${at}/name`, 'another recipient has this name');
    if (![...named.values()].some((names) => names.has(recipient.name))) throw wrong(`${at}/name`, 'no record of /connections/*/holds names it, so it would never be told');
    if ('connection' in recipient) {
      if (config.connections[recipient.connection] === undefined) throw wrong(`${at}/connection`, 'is not the name of a connection');
      byName.set(recipient.name, 'connection');
    } else {
      const { name, contact, identifiers, corrections, reference, language } = recipient;
      byName.set(name, { code, name, contact, identifiers, corrections, reference, language });
    }
  }
  const all = [...byName.values()].filter((each) => each !== 'connection');
  const undeclaredIn = (connection: string): readonly string[] => [...(named.get(connection) ?? [])].filter((name) => !byName.has(name));
  return {
    of: (connections) => {
      const names = new Set(connections.flatMap((connection) => [...(named.get(connection) ?? [])]));
      return { mailed: all.filter((each) => names.has(each.name)), undeclared: connections.filter((connection) => undeclaredIn(connection).length > 0) };
    },
    find: (code) => all.find((each) => each.code === code),
    findings: [...named.keys()].flatMap((connection) =>
      undeclaredIn(connection).map((name) => `/connections/${connection}/holds: ${name} is not under /recipients, so that a person has to tell them of each erasure, correction and restriction`),
    ),
  };
}
