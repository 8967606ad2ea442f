import { createHash } from 'node:crypto';
import pg from 'pg';
import { isOutdated } from './is-outdated.ts';

/** Statements kept by one connection; beyond them, texts are sent as they are: those with a list in them are as many as lists are long. */
const preparedMax = 500;

/** The names by which the server knows texts: the same for all connections. */
const names = new Map<string, string>();
const namesMax = 5000;

function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text, 'utf8').digest('base64url');
    if (names.size < namesMax) names.set(text, name);
  }
  return name;
}

/** A connection that has the server parse and plan each statement with parameters once, and keep it. Results and errors are the client's own. */
export class PreparingClient extends pg.Client {
  readonly #prepared = new Set<string>();
  /** Counts up when what was kept is outdated: everything is then prepared anew under other names. */
  #generation = 0;

  // The client's own method has many shapes; what has no parameters, or is no text, is passed on as it is.
  override query(...given: unknown[]): never {
    const send = super.query.bind(this) as (...all: unknown[]) => unknown;
    const [text, values, ...rest] = given;
    if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return send(...given) as never;
    if (!this.#prepared.has(text) && this.#prepared.size >= preparedMax) return send(...given) as never;
    this.#prepared.add(text);
    const answer = send({ name: `${this.#generation}${nameOf(text)}`, text, values }, ...rest);
    if (answer instanceof Promise) {
      answer.catch((error: unknown) => {
        if (isOutdated(error)) this.#generation += 1;
      });
    }
    return answer as never;
  }
}
