import type { Quittance } from '../../../../composition.ts';
import { identifierKindSchema, type Identifier, type IdentifierKind } from '../../../../contract/identifiers.ts';
import { isFailure } from '../../../../platform/failure.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { openLocal } from '../../../open-local.ts';
import { readInputLines } from '../../../read-input.ts';
import { createProgress } from '../../../terminal/progress.ts';

interface Flags extends JsonFlag {
  readonly kind?: IdentifierKind;
}

interface Line {
  readonly number: number;
  readonly text: string;
  readonly identifier: Identifier;
}

/** Lines that are looked up together. */
const linesAtOnce = 1000;

/** Prints the lines that name somebody who was erased. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const progress = createProgress(this.process.stderr, 'checking', this.now);
  const matches: Line[] = [];
  let checked = 0;
  await openLocal(this, async ({ suppression, readIdentifier }) => {
    const checkAll = async (lines: readonly Line[]): Promise<void> => {
      const found = await suppression.check(lines.map((line) => line.identifier));
      const hits = lines.filter((_line, at) => found[at] === true);
      matches.push(...hits);
      if (!flags.json && hits.length > 0) print(this, ...hits.map((line) => line.text));
      checked += lines.length;
      progress.at(checked);
    };
    let waiting: Line[] = [];
    for await (const text of readInputLines(this)) {
      waiting.push(parse(readIdentifier, text, checked + waiting.length + 1, flags.kind));
      if (waiting.length < linesAtOnce) continue;
      await checkAll(waiting);
      waiting = [];
    }
    await checkAll(waiting);
  });
  progress.end();
  if (matches.length > 0) this.process.exitCode = exitCodes.found;
  if (flags.json) printJson(this, { checked, matches: matches.map(({ number, text }) => ({ line: number, text })) });
  else this.process.stderr.write(`${checked} checked, ${matches.length} of people who were erased\n`);
}

function parse(readIdentifier: Quittance['readIdentifier'], text: string, number: number, given: IdentifierKind | undefined): Line {
  const { kind, value } = readLine(text, given);
  try {
    return { number, text, identifier: readIdentifier(kind, value) };
  } catch (error) {
    if (!isFailure(error)) throw error;
    throw new CommandError(exitCodes.misuse, `line ${number} is no ${kind}: ${error.detail}`, { cause: error });
  }
}

/** Tells what a line is: by `kind:` before it, by the flag, or by its form. */
function readLine(text: string, kind: IdentifierKind | undefined): { readonly kind: IdentifierKind; readonly value: string } {
  if (kind !== undefined) return { kind, value: text };
  const [before = '', ...rest] = text.split(':');
  const named = identifierKindSchema.safeParse(before);
  if (named.success && rest.length > 0) return { kind: named.data, value: rest.join(':') };
  if (text.includes('@')) return { kind: 'email', value: text };
  if (/^\+?[\d ()./-]{6,}$/u.test(text)) return { kind: 'phone', value: text };
  if (text.startsWith('cus_')) return { kind: 'stripe_customer', value: text };
  if (text.startsWith('mem_profile_')) return { kind: 'twilio_profile', value: text };
  return { kind: 'user_id', value: text };
}
