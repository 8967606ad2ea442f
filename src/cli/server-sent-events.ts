/** One server-sent event. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** An event longer than this is not one of Quittance's. */
const eventCharactersMax = 16 * 1024 * 1024;

/** Reads a stream of server-sent events: `event` and `data` fields, blank line between. Comments and other fields are passed over. */
export async function* readServerSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let waiting = '';
  for await (const part of body) {
    waiting += decoder.decode(part, { stream: true });
    if (waiting.length > eventCharactersMax) throw new RangeError('An event of the stream is too long');
    const blocks = waiting.split(/\r?\n\r?\n/u);
    waiting = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = block.split(/\r?\n/u).map((line) => /^(event|data): ?(.*)$/u.exec(line));
      const valuesOf = (name: string): string[] => fields.flatMap((field) => (field?.[1] === name ? [field[2] ?? ''] : []));
      const data = valuesOf('data');
      if (data.length > 0) yield { event: valuesOf('event')[0] ?? 'message', data: data.join('\n') };
    }
  }
}
