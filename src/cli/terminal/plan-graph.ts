import type { Plan } from '../api-schemas.ts';

type PlannedTask = Plan['tasks'][number];
type FoundIdentifier = Plan['identifiers'][number];

/** Says how an identifier was found: `given`, or which connection or table led to it. */
function howFound(identifier: FoundIdentifier): string {
  const [by = '', name = ''] = identifier.found_by.split(':');
  const how = by === 'connection' ? `found in ${name}` : by === 'given' ? 'given with the request' : `found by ${identifier.found_by}`;
  const seen = identifier.seen_in.filter((each) => each !== name);
  return seen.length === 0 ? how : `${how}, seen in ${seen.join(', ')}`;
}

function identifierLines(identifiers: readonly FoundIdentifier[]): readonly string[] {
  const ids = new Set(identifiers.map((each) => each.id));
  const under = (parent: string | null): readonly FoundIdentifier[] =>
    identifiers.filter((each) => (parent === null ? each.via === null || !ids.has(each.via) : each.via === parent));
  const lines: string[] = [];
  const visit = (identifier: FoundIdentifier, prefix: string, branch: string, below: string): void => {
    lines.push(`${prefix}${branch}${identifier.kind} ${identifier.commitment.slice(0, 8)}…  ${howFound(identifier)}`);
    const children = under(identifier.id);
    for (const [at, child] of children.entries()) {
      const last = at === children.length - 1;
      visit(child, prefix + below, last ? '└─ ' : '├─ ', last ? '   ' : '│  ');
    }
  };
  for (const root of under(null)) visit(root, '  ', '● ', '  ');
  return lines;
}

/** Puts systems into layers: each after all those that it waits for. */
function layersOf(tasks: readonly PlannedTask[]): readonly (readonly string[])[] {
  const systems = [...new Set(tasks.map((task) => task.system))];
  const after = new Map(systems.map((system) => [system, new Set(tasks.filter((task) => task.system === system).flatMap((task) => task.after))]));
  const placed = new Set<string>();
  const layers: string[][] = [];
  while (placed.size < systems.length) {
    const open = systems.filter((system) => !placed.has(system));
    const free = open.filter((system) => [...(after.get(system) ?? [])].every((before) => placed.has(before) || !systems.includes(before)));
    // A server refuses circles; should one be there all the same, it is shown rather than looped over.
    const layer = free.length === 0 ? open : free;
    for (const system of layer) placed.add(system);
    layers.push(layer);
  }
  return layers;
}

/** An outcome counts once the task is settled: before, it is only what the vendor said. */
function stateOf(task: PlannedTask): string | null {
  if (task.status === 'settled') return task.outcome;
  return task.status === 'manual' ? 'waits for a person' : task.status;
}

function taskText(task: PlannedTask): string {
  const sure = task.seen_here ? 'seen there' : 'may be there';
  const state = stateOf(task);
  return `${task.decision} by ${task.identifier.kind} ${task.identifier.commitment.slice(0, 8)}… (${sure})${state === null ? '' : `  → ${state}`}`;
}

function systemLines(tasks: readonly PlannedTask[]): readonly string[] {
  const layers = layersOf(tasks);
  return layers.flatMap((layer, at) => {
    const boxes = layer.flatMap((system) => {
      const own = tasks.filter((task) => task.system === system);
      return [`  ┌ ${system}`, ...own.map((task, index) => `  ${index === own.length - 1 ? '└' : '├'}─ ${taskText(task)}`)];
    });
    const arrow = at === layers.length - 1 ? [] : ['  │  then', '  ▼'];
    const title = layer.length > 1 ? [`  ${at + 1}. in parallel`] : [`  ${at + 1}.`];
    return [...title, ...boxes, ...arrow];
  });
}

/** Draws a plan: the identifiers and what led to each, the systems in the order of their dependencies, and what came of each task. */
export function renderPlan(plan: Plan): readonly string[] {
  const systems = plan.tasks.length === 0 ? ['  none: no configured system can be asked by what is known'] : systemLines(plan.tasks);
  return [
    ...(plan.preview ? ['A forecast: the person is not resolved yet, and more may be found.', ''] : []),
    'Identifiers, and how each was found',
    ...(plan.identifiers.length === 0 ? ['  none: they are destroyed after closure'] : identifierLines(plan.identifiers)),
    '',
    'Systems, in the order of their dependencies',
    ...systems,
  ];
}
