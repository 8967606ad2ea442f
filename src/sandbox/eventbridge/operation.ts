import type { SimulatorContext } from '../simulator.ts';
import { AwsProblem } from './gate.ts';
import type { EventBridgeState, Json } from './state.ts';

/** One call of an operation, after its signature was checked. */
export interface AwsCall {
  readonly state: EventBridgeState;
  readonly context: SimulatorContext;
  readonly input: Json;
  /** Where the simulator is reached. */
  readonly origin: string;
}

/** An operation: gives the answer's JSON, or throws an `AwsProblem`. */
export type AwsOperation = (call: AwsCall) => Json;

/** Seconds since the epoch, as the JSON protocol writes a time. */
export const seconds = (ms: number): number => Math.floor(ms / 1000);

/** Says as the services do that a member of the request is not as its description wants it. */
export function refuseMember(member: string, constraint: string): never {
  throw new AwsProblem('ValidationException', `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must ${constraint}`);
}

interface Rule {
  readonly pattern?: RegExp;
  readonly max?: number;
}

/** Reads a member that has to be there. */
export function wanted(input: Json, member: string, rule: Rule = {}): string {
  const value = input[member];
  if (value === undefined || value === null) return refuseMember(member, 'not be null');
  return optional(input, member, rule) as string;
}

/** Reads a member that may be absent. */
export function optional(input: Json, member: string, { pattern, max }: Rule = {}): string | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new AwsProblem('SerializationException', `${member} must be a string`);
  if (max !== undefined && value.length > max) refuseMember(member, `have length less than or equal to ${max}`);
  if (pattern !== undefined && !pattern.test(value)) refuseMember(member, `satisfy regular expression pattern: ${pattern.source}`);
  return value;
}

/** Reads a whole number. */
export function optionalInteger(input: Json, member: string, min: number, max: number): number | undefined {
  const value = input[member];
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value)) throw new AwsProblem('SerializationException', `${member} must be an integer`);
  if ((value as number) < min) refuseMember(member, `have value greater than or equal to ${min}`);
  if ((value as number) > max) refuseMember(member, `have value less than or equal to ${max}`);
  return value as number;
}

/** The names of rules, targets, connections and API destinations. */
export const nameRule = { pattern: /^[.\-_A-Za-z0-9]+$/u, max: 64 };

/** One page of a list: `Limit` at most 100, and where the next one starts. */
export function pageOf<Item>(input: Json, items: readonly Item[]): { readonly page: readonly Item[]; readonly next: { readonly NextToken?: string } } {
  const limit = optionalInteger(input, 'Limit', 1, 100) ?? 100;
  const start = Number(optional(input, 'NextToken') ?? 0);
  const end = start + limit;
  return { page: items.slice(start, end), next: end < items.length ? { NextToken: String(end) } : {} };
}
