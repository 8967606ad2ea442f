import type { Change, EventBridgeDifference } from '../../../event-bridge.ts';
import { CommandError } from '../../command-error.ts';
import { exitCodes, type CliContext } from '../../context.ts';

const signs: Readonly<Record<Change['action'], string>> = { create: '+', update: '~', delete: '-', unchanged: '=' };
const words: Readonly<Record<Change['kind'], string>> = { queue: 'queue', role: 'role', connection: 'connection', api_destination: 'API destination', rule: 'rule', target: 'target' };
/** A value that is longer is cut; `--format json` has all of it. */
const valueLengthMax = 160;

const cut = (text: string): string => (text.length <= valueLengthMax ? text : `${text.slice(0, valueLengthMax)}…`);

/** Gives the lines that show what is to be done: one for each thing, and one for each field that differs. No secret is among what is compared. */
export function differenceLines({ changes, resources }: EventBridgeDifference): readonly string[] {
  const { account, region, bus } = resources.place;
  const lines = changes.flatMap(({ action, kind, name, fields }) => [
    `${signs[action]} ${words[kind]} ${name}`,
    ...fields.map(({ field, from, to }) => `    ${field}: ${cut(from) || '(nothing)'} → ${cut(to) || '(nothing)'}`),
  ]);
  const count = (action: Change['action']): number => changes.filter((each) => each.action === action).length;
  return [
    `Event bus ${bus}, account ${account}, ${region}`,
    ...lines,
    `${count('create')} to create, ${count('update')} to update, ${count('delete')} to delete, ${count('unchanged')} unchanged`,
    ...resources.notes.map(({ at, message }) => `Note ${at}: ${message}`),
  ];
}

/** Gives what machines read of a difference. Secrets are the references of the configuration. */
export function differenceJson({ changes, resources }: EventBridgeDifference): unknown {
  const { notes, publisher, ...wanted } = resources;
  return { changes, notes, policies: { publisher }, resources: wanted };
}

/** Whether there is nothing to do. */
export const isDone = ({ changes }: EventBridgeDifference): boolean => changes.every(({ action }) => action === 'unchanged');

/** Asks on the terminal; only the word yes is one. */
export async function confirmed(context: CliContext, question: string): Promise<boolean> {
  context.process.stderr.write(`${question} Type yes to go on: `);
  let answer = '';
  for await (const chunk of context.process.stdin) {
    answer += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    if (answer.includes('\n')) break;
  }
  return answer.split('\n', 1)[0]?.trim() === 'yes';
}

/** Where one cannot ask, `--yes` has to be given. */
export function refuseUnasked(flags: { readonly json: boolean; readonly yes: boolean }): void {
  if (flags.json && !flags.yes) throw new CommandError(exitCodes.misuse, '--json asks nothing: say --yes with it');
}
