import { parse, PGlite, protocol, type messages, type QueryOptions, type Results, type Transaction } from '@electric-sql/pglite';
import { isOutdated } from './is-outdated.ts';

/** What the server told of a statement that it keeps. */
interface Prepared {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  /** Absent for a statement that answers no rows. */
  readonly fields: messages.BackendMessage | undefined;
}

/** Statements kept at a time; those not used for longest go first, since texts with a list in them are as many as lists are long. */
const preparedMax = 500;

const { serialize } = protocol;

/**
 * A PGlite that has each statement parsed and planned once and kept, and that sends one message for a query where PGlite sends five: most of what a
 * small statement takes otherwise. Results and errors are PGlite's own.
 */
export class PreparingPGlite extends PGlite {
  readonly #prepared = new Map<string, Prepared>();
  #count = 0;

  /** As PGlite's, which it replaces with the same rules: one at a time, and never inside somebody else's transaction. */
  override async query<Row>(text: string, parameters: readonly unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    await this._checkReady();
    return this._runExclusiveTransaction(async () => {
      const results = await this.#run<Row>(text, parameters, options);
      await this.syncToFs();
      return results;
    });
  }

  /** As PGlite's; what is sent inside of it is prepared as well. */
  override async transaction<Value>(work: (tx: Transaction) => Promise<Value>): Promise<Value> {
    return super.transaction((tx) => {
      const query: Transaction['query'] = async (text, parameters, options) => {
        if (tx.closed) throw new Error('The transaction is closed');
        return this.#run(text, parameters, options);
      };
      return work(Object.create(tx, { query: { value: query } }) as Transaction);
    });
  }

  /** Drops what was prepared: for who has changed tables, whose statements may answer other columns now. */
  async forgetPrepared(): Promise<void> {
    this.#prepared.clear();
    await this.exec('DEALLOCATE ALL');
  }

  async #run<Row>(text: string, parameters: readonly unknown[] = [], options?: QueryOptions): Promise<Results<Row>> {
    return this._runExclusiveQuery(async () => {
      const prepared = await this.#prepare(text);
      const values = parameters.map((value, index) => this.#serialize(value, prepared.parameterTypes[index]));
      try {
        const answer = await this.#send([serialize.bind({ statement: prepared.name, values }), serialize.execute({})]);
        const told = prepared.fields === undefined ? answer : [prepared.fields, ...answer];
        const [results] = parse.parseResults(told, this.parsers, options);
        return results as Results<Row>;
      } catch (error) {
        if (isOutdated(error)) this.#prepared.delete(text);
        throw error;
      }
    });
  }

  async #prepare(text: string): Promise<Prepared> {
    const kept = this.#prepared.get(text);
    if (kept !== undefined) {
      this.#prepared.delete(text);
      this.#prepared.set(text, kept);
      return kept;
    }
    this.#count += 1;
    const name = `q${this.#count}`;
    const answer = await this.#send([serialize.parse({ name, text }), serialize.describe({ type: 'S', name })]);
    const described = answer.find((each) => each.name === 'parameterDescription') as messages.ParameterDescriptionMessage | undefined;
    const fresh: Prepared = { name, parameterTypes: described?.dataTypeIDs ?? [], fields: answer.find((each) => each.name === 'rowDescription') };
    this.#prepared.set(text, fresh);
    await this.#closeOldest();
    return fresh;
  }

  async #closeOldest(): Promise<void> {
    const [oldest] = this.#prepared;
    if (this.#prepared.size <= preparedMax || oldest === undefined) return;
    this.#prepared.delete(oldest[0]);
    await this.#send([serialize.close({ type: 'S', name: oldest[1].name })]);
  }

  #send(parts: readonly Uint8Array[]): Promise<messages.BackendMessage[]> {
    return this.execProtocolStream(Buffer.concat([...parts, serialize.sync()]), { syncToFs: false });
  }

  #serialize(value: unknown, type: number | undefined): string | Buffer | null {
    if (value === null || value === undefined) return null;
    const serializer = type === undefined ? undefined : this.serializers[type];
    // A value of a type without a serializer is text as it prints itself, as in PGlite.
    // oxlint-disable-next-line typescript/no-base-to-string
    return serializer === undefined ? String(value) : serializer(value);
  }
}
