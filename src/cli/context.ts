import type { CommandContext } from '@stricli/core';

/** Where a command writes: a terminal, a file or a pipe. */
export interface Output {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a command sees of its process; replaceable in tests. */
export interface CliProcess {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  exitCode: number | string | null;
}

/** What every command runs in. */
export interface CliContext extends CommandContext {
  readonly process: CliProcess;
  readonly fetch: typeof globalThis.fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Exit codes: done, the operation failed, wrong use or configuration, found what was asked for (a violation, a match, something that waits for a person). */
export const exitCodes = { done: 0, failed: 1, misuse: 2, found: 3 } as const;

/** The flag that every command has. */
export const jsonFlag = { kind: 'boolean', brief: 'Print JSON for machines', default: false, withNegated: false } as const;

/** The flags of a command that has no others. */
export interface JsonFlag {
  readonly json: boolean;
}

/** What `--help` shows of a command: what it does, and an example. */
export function describe(brief: string, ...examples: readonly string[]): { readonly brief: string; readonly fullDescription: string } {
  return { brief, fullDescription: `${brief}.\n\nExample:\n${examples.map((each) => `  ${each}`).join('\n')}` };
}

/** Prints lines for people. */
export function print(context: CliContext, ...lines: readonly string[]): void {
  context.process.stdout.write(`${lines.join('\n')}\n`);
}

/** Prints one JSON value and a newline. */
export function printJson(context: CliContext, value: unknown): void {
  context.process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
