import type { StripeInput } from './gate.ts';
import { textOf, type FormObject } from './form.ts';
import { invalid, missing } from './problem.ts';
import type { StripeObject } from './state.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 100;
const PAGING = ['limit', 'starting_after', 'ending_before', 'expand'];

/** Refuses a parameter that the operation does not have, as Stripe does. */
export function onlyKnown(form: FormObject, known: readonly string[]): void {
  const unknown = Object.keys(form).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalid(`Received unknown parameter: ${unknown}`, unknown, 'parameter_unknown');
}

/** The page size asked for: 1 to 100, 10 when not asked for. */
export function limitOf(query: FormObject): number {
  const text = textOf(query['limit']);
  if (text === undefined) return LIMIT_DEFAULT;
  if (!/^-?\d+$/u.test(text)) throw invalid(`Invalid integer: ${text}`, 'limit', 'parameter_invalid_integer');
  const limit = Number(text);
  if (limit < 1) throw invalid('This value must be greater than or equal to 1.', 'limit', 'parameter_invalid_integer');
  if (limit > LIMIT_MAX) {
    throw invalid(`This value must be less than or equal to 100 (it currently is '${text}').`, 'limit', 'parameter_invalid_integer');
  }
  return limit;
}

/** Answers one page of a list, newest first, by Stripe's object cursors. */
export function listPage(input: StripeInput, noun: string, items: readonly StripeObject[], filters: readonly string[] = []): object {
  const { query } = input;
  onlyKnown(query, [...PAGING, ...filters]);
  const limit = limitOf(query);
  const sorted = items.toReversed().sort((left, right) => right.created - left.created);
  const indexOf = (param: string): number | undefined => {
    const id = textOf(query[param]);
    if (id === undefined) return undefined;
    const index = sorted.findIndex((each) => each.id === id);
    if (index < 0) throw missing(noun, id, param, 400);
    return index;
  };
  const after = indexOf('starting_after');
  const before = indexOf('ending_before');
  const url = input.request.url.split('?', 1)[0];
  if (before !== undefined) {
    const start = Math.max(0, before - limit);
    return { object: 'list', data: sorted.slice(start, before), has_more: start > 0, url };
  }
  const start = after === undefined ? 0 : after + 1;
  return { object: 'list', data: sorted.slice(start, start + limit), has_more: start + limit < sorted.length, url };
}
