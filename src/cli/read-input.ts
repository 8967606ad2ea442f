import { CommandError } from './command-error.ts';
import { exitCodes, type CliContext } from './context.ts';

/** Bodies and lists longer than this are refused: nothing that a command takes is. */
const charactersMax = 16 * 1024 * 1024;

/** Reads standard input to its end, as UTF-8. */
export async function readInput(context: CliContext): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of context.process.stdin) {
    text += typeof part === 'string' ? part : decoder.decode(part, { stream: true });
    if (text.length > charactersMax) throw new CommandError(exitCodes.misuse, 'Standard input is longer than 16 MiB');
  }
  return text + decoder.decode();
}

/** Streams the lines of standard input, however many there are; blank ones are left out. */
export async function* readInputLines(context: CliContext): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let waiting = '';
  for await (const part of context.process.stdin) {
    waiting += typeof part === 'string' ? part : decoder.decode(part, { stream: true });
    const lines = waiting.split('\n');
    waiting = lines.pop() ?? '';
    if (waiting.length > charactersMax) throw new CommandError(exitCodes.misuse, 'A line of standard input is longer than 16 MiB');
    for (const line of lines) if (line.trim() !== '') yield line.trim();
  }
  if (waiting.trim() !== '') yield waiting.trim();
}
