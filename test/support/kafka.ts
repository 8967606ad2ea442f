import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { holdProcess, type HeldProcess } from './held-process.ts';
import { findProgram, whyMissing } from './required-programs.ts';

/** A record as kcat read it from the cluster. */
export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
  readonly at: number;
}

/** A cluster that librdkafka makes up (its mock cluster), with one topic of four partitions, and a consumer of that topic: both are in one process of kcat. */
export interface MockKafka extends HeldProcess {
  readonly brokers: readonly string[];
  /** Gives what was read once it is so many records; the test's own time ends a wait for records that never come. */
  readonly read: (count: number) => Promise<readonly ReadRecord[]>;
  /** Requests that the brokers took so far, such as `ProduceRequestV7`. */
  readonly requests: () => readonly string[];
}

/** Why there is no Kafka here, for the title of what is left out. */
export const kafkaMissing: string | undefined = whyMissing('kcat', 'kcat');

interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly ts: number;
  readonly key: string | null;
  readonly headers?: readonly string[];
  readonly payload: string;
}

/** Starts a cluster of three brokers, or of so many, on free loopback ports. */
export async function startMockKafka(topic: string, options: { readonly brokers?: number } = {}): Promise<MockKafka> {
  const program = findProgram('kcat');
  if (program === undefined) throw new Error('kcat is not installed');
  const child = spawn(program, ['-b', 'x', '-X', `test.mock.num.brokers=${options.brokers ?? 3}`, '-X', 'debug=mock', '-C', '-t', topic, '-J', '-u'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const held = holdProcess(child);
  const records: ReadRecord[] = [];
  let unread = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = `${unread}${chunk.toString('utf8')}`.split('\n');
    unread = lines.pop() ?? '';
    for (const line of lines.filter((each) => each !== '')) {
      const { partition, offset, key, payload, ts, headers: flat = [] } = JSON.parse(line) as Line;
      const headers = Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, at) => [flat[at * 2] ?? '', flat[at * 2 + 1] ?? '']));
      records.push({ partition, offset, key, payload, headers, at: ts });
    }
    child.emit('records');
  });
  let said = '';
  const brokers = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      const found = /bootstrap\.servers=(\S+)\n/u.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`kcat did not start: ${said.slice(-2000)}`)));
  });
  return {
    brokers: brokers.split(','),
    read: async (count) => {
      while (records.length < count) await once(child, 'records');
      return [...records];
    },
    requests: () => [...said.matchAll(/Received (\w+Request\w*) from/gu)].map((match) => match[1] ?? ''),
    ...held,
  };
}
