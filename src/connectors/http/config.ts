import { z } from 'zod';
import { declarationSchema, type Declaration } from './declaration.ts';
import { readyDeclarations } from './declarations/index.ts';

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A connection's configuration: a whole declaration, or `use: <name>` with the parameters of a ready one. */
export const httpConfigSchema: z.ZodType<Declaration> = z.unknown().transform((value, context): Declaration => {
  const fail = (problems: readonly Problem[]): never => {
    for (const { path, message } of problems) context.addIssue({ code: 'custom', path: [...path], message });
    return z.NEVER;
  };
  if (typeof value !== 'object' || value === null || !('use' in value)) {
    const parsed = declarationSchema.safeParse(value);
    return parsed.success ? parsed.data : fail(parsed.error.issues);
  }
  const { use, ...rest } = value;
  const ready = readyDeclarations.find((each) => each.name === use);
  if (ready === undefined) return fail([{ path: ['use'], message: `there is no ready declaration of that name; known: ${readyDeclarations.map((each) => each.name).join(', ')}` }]);
  const parameters = ready.parameters.safeParse(rest);
  if (!parameters.success) return fail(parameters.error.issues);
  const parsed = declarationSchema.safeParse(ready.declare(parameters.data));
  return parsed.success ? parsed.data : fail(parsed.error.issues.map(({ path, message }) => ({ path, message })));
});
