import type { Capabilities, Connection } from '../../../connector-kit/index.ts';
import type { IdentifierId } from '../../../contract/ids.ts';
import type { IdentifierKind } from '../../../contract/identifiers.ts';
import { copyRights, restrictingRights, type Action, type Decision, type Right } from '../../../contract/outcomes.ts';

/** What planning needs to know of a connection. */
export interface PlannedConnection {
  readonly name: string;
  readonly connector: string;
  readonly action: 'erase' | 'anonymise';
  readonly after: readonly string[];
  readonly capabilities: Capabilities;
  /** What of the rights beyond erasure its connector can carry out. */
  readonly connection: Pick<Connection, 'export' | 'rectify'>;
}

/** What planning needs to know of an identifier: never its value. */
export interface PlannedIdentifier {
  readonly id: IdentifierId;
  readonly kind: IdentifierKind;
  readonly commitment: string;
  /** True when it may be somebody else's: a person decides on what is planned for it. */
  readonly isDoubtful: boolean;
  readonly seenIn: readonly string[];
}

/** A system that is to be looked into, and the identifier that is new about it, where there is one. */
export interface Search {
  readonly connection: string;
  readonly by?: IdentifierId;
}

/** One system × identifier × action, decided. */
export interface PlannedTask {
  readonly connection: string;
  readonly connector: string;
  readonly identifierId: IdentifierId;
  readonly identifierKind: IdentifierKind;
  readonly commitment: string;
  readonly action: Action;
  readonly decision: Decision;
  /** True when resolution saw the identifier in this very system; then finding nothing there is not success. */
  readonly seenHere: boolean;
  readonly isDoubtful: boolean;
  /** Set where the request is limited to other systems: then this one is not asked. */
  readonly isOutside?: true;
  /** Connections whose tasks come first. */
  readonly afterConnections: readonly string[];
  /** Which tasks of its own connection come first, besides its look-ups: the erasures planned before it, or every erasure there. */
  readonly afterOwn: 'none' | 'earlier' | 'erasures';
  /** Milliseconds since the epoch: starting later risks the deadline. */
  readonly latestSafeStart: number;
}

/**
 * Turns the right, the identifiers of a person and the configured connections into tasks, in the order of the connections. Pure. Rights that only
 * restrict processing have no tasks. A request that is limited to some systems has them anonymise where they can, and of each other one a task says that it is not asked.
 */
export function planTasks(right: Right, connections: readonly PlannedConnection[], identifiers: readonly PlannedIdentifier[], dueAt: number, searches: readonly Search[] = [], systems: readonly string[] | null = null): readonly PlannedTask[] {
  if (systems !== null) return planWithin(systems, right, connections, identifiers, dueAt, searches);
  if (restrictingRights.includes(right)) return connections.flatMap((connection) => searchOf(connection, identifiers, dueAt, searches));
  if (right === 'erasure') return planErasure(connections, identifiers, dueAt, searches);
  return connections.flatMap((connection) => planOther(copyRights.includes(right) ? 'export' : 'rectify', connection, identifiers, dueAt, searches));
}

function planWithin(systems: readonly string[], right: Right, connections: readonly PlannedConnection[], identifiers: readonly PlannedIdentifier[], dueAt: number, searches: readonly Search[]): readonly PlannedTask[] {
  const isNamed = ({ name }: PlannedConnection): boolean => systems.includes(name);
  const named = connections.filter(isNamed).map((each) => (each.capabilities.actions.includes('anonymise') ? { ...each, action: 'anonymise' as const } : each));
  const planned = planTasks(right, named, identifiers, dueAt, searches);
  const [first] = identifiers;
  return connections.flatMap((connection): readonly PlannedTask[] => {
    if (isNamed(connection)) return planned.filter((task) => task.connection === connection.name);
    if (first === undefined) return [];
    return [{ ...taskOf(connection, first, dueAt), decision: 'not_applicable', isOutside: true, seenHere: false, isDoubtful: false, afterConnections: [], afterOwn: 'none' }];
  });
}

/** The systems that are read, or corrected: nothing is ever erased for a right that is not erasure. A system that cannot do it is given to a person. */
function planOther(action: 'export' | 'rectify', connection: PlannedConnection, identifiers: readonly PlannedIdentifier[], dueAt: number, searches: readonly Search[]): readonly PlannedTask[] {
  const { capabilities } = connection;
  const canDo = connection.connection[action] !== undefined;
  const kinds = (action === 'export' ? capabilities.exports : undefined) ?? capabilities.erases;
  const able = identifiers.filter((each) => kinds.includes(each.kind));
  // Of several names for one person in one system, the surest comes first, and of those one that the system was seen to know.
  const rank = (each: PlannedIdentifier): number => (each.isDoubtful ? 2 : 0) + (each.seenIn.includes(connection.name) ? 0 : 1);
  const ordered = able.toSorted((a, b) => rank(a) - rank(b));
  const targets = !canDo || (action === 'export' && capabilities.exportsWhole === true) ? ordered.slice(0, 1) : able;
  const plain = { afterConnections: connection.after, afterOwn: action === 'rectify' ? 'earlier' : 'none' } as const;
  const search = searchOf(connection, identifiers, dueAt, searches);
  const [first] = identifiers;
  if (targets.length === 0 && first !== undefined) return [...search, { ...taskOf(connection, first, dueAt), action, decision: 'not_applicable', seenHere: false, ...plain }];
  return [...search, ...targets.map((target): PlannedTask => ({ ...taskOf(connection, target, dueAt), action, decision: canDo ? action : 'unsupported', ...plain }))];
}

/** The task that looks into a system which could not be looked into before. */
function searchOf(connection: PlannedConnection, identifiers: readonly PlannedIdentifier[], dueAt: number, searches: readonly Search[]): readonly PlannedTask[] {
  const searched = identifiers.filter((each) => connection.capabilities.locates.includes(each.kind));
  const search = searches.find((each) => each.connection === connection.name);
  const key = searched.find((each) => each.id === search?.by) ?? searched[0];
  if (search === undefined || key === undefined) return [];
  return [{ ...taskOf(connection, key, dueAt), action: 'locate', decision: 'locate', seenHere: false, isDoubtful: false, afterConnections: [], afterOwn: 'none' }];
}

/**
 * Each system is asked by every identifier by which it erases. Where the person has none of those, it is searched by what it can be searched
 * by, and where it cannot be asked by anything that is known, the plan says so: no system is passed over in silence. A system that is the
 * identity map comes after all others. A system of `searches`, which could not be looked into before, is looked into by a task of its own, before the
 * erasures there, which would take away what it looks for. Where aggregates are derived from what a system holds, a last task has them refreshed.
 */
function planErasure(connections: readonly PlannedConnection[], identifiers: readonly PlannedIdentifier[], dueAt: number, searches: readonly Search[]): readonly PlannedTask[] {
  const tasks: PlannedTask[] = [];
  for (const connection of connections) {
    const { capabilities } = connection;
    const direct = identifiers.filter((each) => capabilities.erases.includes(each.kind));
    const searched = identifiers.filter((each) => capabilities.locates.includes(each.kind));
    const targets = direct.length > 0 ? direct : searched;
    const first = identifiers[0];
    const search = searchOf(connection, identifiers, dueAt, searches);
    tasks.push(...search);
    if (search.length === 0 && targets.length === 0 && first !== undefined) {
      // Nothing that is known of the person means anything to this system: that is said, and not passed over in silence.
      tasks.push({ ...taskOf(connection, first, dueAt), decision: 'not_applicable', seenHere: false, afterConnections: [], afterOwn: 'none' });
    }
    const others = capabilities.isIdentityMap ? connections.filter((each) => !each.capabilities.isIdentityMap).map((each) => each.name) : [];
    const afterConnections = [...new Set([...connection.after, ...others])];
    const afterOwn = capabilities.isSequential === true ? 'earlier' : 'none';
    for (const target of targets) tasks.push({ ...taskOf(connection, target, dueAt), afterConnections, afterOwn });
    const [last] = targets;
    if (capabilities.refreshMs === undefined || last === undefined) continue;
    // It is about nobody: the identifier only says which erasures of the plan it follows, and nothing of it is sent.
    const refresh = { action: 'refresh', decision: 'refresh', seenHere: false, isDoubtful: false, latestSafeStart: dueAt - capabilities.refreshMs.worst } as const;
    tasks.push({ ...taskOf(connection, last, dueAt), ...refresh, afterConnections, afterOwn: 'erasures' });
  }
  return tasks;
}

function taskOf(connection: PlannedConnection, target: PlannedIdentifier, dueAt: number): Omit<PlannedTask, 'afterConnections' | 'afterOwn'> {
  return {
    connection: connection.name,
    connector: connection.connector,
    identifierId: target.id,
    identifierKind: target.kind,
    commitment: target.commitment,
    action: connection.action,
    decision: connection.action,
    seenHere: target.seenIn.includes(connection.name),
    isDoubtful: target.isDoubtful,
    latestSafeStart: dueAt - connection.capabilities.latencyMs.worst - (connection.capabilities.refreshMs?.worst ?? 0),
  };
}
