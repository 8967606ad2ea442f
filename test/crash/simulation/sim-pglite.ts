import { messages, protocol } from '@electric-sql/pglite';
import { PreparingPGlite } from '../../../src/platform/db/preparing-pglite.ts';

/**
 * What makes the database of a simulation faster and changes no answer: nothing of it outlives its process, so no page has to survive a cut of the
 * power, and each plan is made once, which also makes a plan depend on nothing that came before the round.
 */
const settings = ['fsync = off', 'synchronous_commit = off', 'full_page_writes = off', 'wal_init_zero = off', 'wal_recycle = off', 'plan_cache_mode = force_generic_plan', 'jit = off', 'track_activities = off', 'track_counts = off'];

/**
 * A PGlite for who waits for each answer before anybody else asks: each exchange is one call that is over when it returns, without the queues by which
 * PGlite keeps several callers apart. It hears of no notifications.
 */
export class SimPGlite extends PreparingPGlite {
  #parser = new protocol.Parser();

  override async execProtocolStream(message: Uint8Array): Promise<messages.BackendMessage[]> {
    const answer: messages.BackendMessage[] = [];
    let failure: messages.DatabaseError | undefined;
    await this.execProtocolRawStream(message, {
      syncToFs: false,
      onRawData: (bytes) => {
        this.#parser.parse(bytes, (each) => {
          if (each instanceof messages.DatabaseError) failure ??= each;
          else answer.push(each);
        });
      },
    });
    if (failure !== undefined) throw failure;
    return answer;
  }

  override _runExclusiveQuery<Value>(work: () => Promise<Value>): Promise<Value> {
    return work();
  }

  override _runExclusiveTransaction<Value>(work: () => Promise<Value>): Promise<Value> {
    return work();
  }

  override async syncToFs(): Promise<void> {
    // It is in memory.
  }
}

/** Opens one in memory, or, much faster, one that holds what a dump of another does. */
export async function openSimPGlite(dump?: Blob): Promise<SimPGlite> {
  const opened = new SimPGlite(dump === undefined ? { postgresqlconf: settings } : { loadDataDir: dump });
  await opened.waitReady;
  return opened;
}
