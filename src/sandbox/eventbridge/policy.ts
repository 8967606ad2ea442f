import type { Json } from './state.ts';

/** What a policy is asked. */
export interface Question {
  readonly action: string;
  readonly resource: string;
  readonly context: Readonly<Record<string, string>>;
}

const listOf = (value: unknown): readonly string[] => (typeof value === 'string' ? [value] : Array.isArray(value) ? value.map(String) : []);
const wild = (pattern: string, value: string): boolean => new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/gu, '\\$&').replaceAll('*', '.*')}$`, 'u').test(value);

const comparisons: Readonly<Record<string, (wanted: string, given: string) => boolean>> = {
  StringEquals: (wanted, given) => wanted === given,
  StringLike: wild,
  ArnEquals: wild,
  ArnLike: wild,
};

function holds(condition: Json, context: Question['context']): boolean {
  return Object.entries(condition).every(([name, keys]) => {
    const compare = comparisons[name];
    if (compare === undefined) throw new Error(`The sandbox knows no condition ${name}`);
    return Object.entries(keys as Json).every(([key, values]) => {
      const given = context[key];
      return given !== undefined && listOf(values).some((wanted) => compare(wanted, given));
    });
  });
}

/** Whether a policy allows a service principal, or the holder where it names no principal, what is asked; the little of IAM's evaluation that has Allow and Deny, wildcards and conditions. */
export function allows(policyText: string | undefined, question: Question, principal?: string): boolean {
  if (policyText === undefined) return false;
  const policy = JSON.parse(policyText) as Json;
  const statements = (Array.isArray(policy['Statement']) ? policy['Statement'] : [policy['Statement']]) as readonly Json[];
  const fitting = statements.filter((statement) => {
    const service = (statement['Principal'] as Json | undefined)?.['Service'];
    if (principal !== undefined && !listOf(service).includes(principal)) return false;
    if (!listOf(statement['Action']).some((action) => wild(action.toLowerCase(), question.action.toLowerCase()))) return false;
    const resources = listOf(statement['Resource']);
    if (resources.length > 0 && !resources.some((resource) => wild(resource, question.resource))) return false;
    return holds((statement['Condition'] as Json | undefined) ?? {}, question.context);
  });
  return fitting.length > 0 && fitting.every((statement) => statement['Effect'] === 'Allow');
}
