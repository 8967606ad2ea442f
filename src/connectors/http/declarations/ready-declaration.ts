import type { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';

/** A purge contract that is ready made for one system; a connection takes it with `use: <name>` and its parameters. */
export interface ReadyDeclaration<Parameters = unknown> {
  /** What a connection writes under `use`. */
  readonly name: string;
  /** What a connection gives besides; secrets are already resolved. Keys as in `quittance.yaml`. */
  readonly parameters: z.ZodType<Parameters>;
  readonly declare: (parameters: Parameters) => DeclarationInput;
}
