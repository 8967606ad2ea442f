import { expect, it } from 'vitest';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const text = ': a comment\n\nevent: request\ndata: {"name":"Zoë"}\n\r\ndata: one\ndata: two\n\nevent: tasks\ndata: never ended';

it('reads the same events however the stream is cut, characters of several bytes included, and none that was not ended', async () => {
  for (let size = 1; size <= 12; size += 1) {
    const events: ServerSentEvent[] = [];
    for await (const event of readServerSentEvents(pieces(text, size))) events.push(event);
    expect(events).toEqual([
      { event: 'request', data: '{"name":"Zoë"}' },
      { event: 'message', data: 'one\ntwo' },
    ]);
  }
});
