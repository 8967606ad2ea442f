import type { Output } from '../context.ts';

/** Lines at the bottom of a terminal that are drawn again in place. */
export interface LiveLines {
  /** Draws these lines in place of those before. Where it is not a terminal, prints only the lines that were not printed before. */
  readonly draw: (lines: readonly string[]) => void;
  /** Prints lines above, to stay. */
  readonly above: (...lines: readonly string[]) => void;
  /** Leaves the last drawing where it is. */
  readonly end: () => void;
}

/** Makes live lines on an output. Lines are cut to the terminal's width, since a wrapped one could not be drawn over. */
export function createLiveLines(output: Output): LiveLines {
  let drawn: readonly string[] = [];
  if (output.isTTY !== true) {
    const printed = new Set<string>();
    return {
      draw: (lines) => {
        for (const line of lines) {
          if (line.trim() === '' || printed.has(line)) continue;
          printed.add(line);
          output.write(`${line}\n`);
        }
      },
      above: (...lines) => output.write(`${lines.join('\n')}\n`),
      end: () => undefined,
    };
  }
  const erase = (): string => (drawn.length === 0 ? '' : `\u001B[${drawn.length}A\r\u001B[0J`);
  const show = (lines: readonly string[]): string => lines.map((line) => `${line.slice(0, (output.columns ?? 80) - 1)}\n`).join('');
  return {
    draw: (lines) => {
      output.write(erase() + show(lines));
      drawn = lines;
    },
    above: (...lines) => output.write(`${erase()}${lines.join('\n')}\n${show(drawn)}`),
    end: () => {
      drawn = [];
    },
  };
}
