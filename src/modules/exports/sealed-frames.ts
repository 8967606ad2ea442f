import type { Readable } from 'node:stream';
import { Failure } from '../../platform/failure.ts';

/** Seals and opens under one request's data key, bound to a context. */
export interface FrameSeal {
  readonly seal: (plain: Buffer, context: string) => Buffer;
  readonly open: (sealed: Uint8Array, context: string) => Buffer;
}

/** Characters of a frame before it is sealed: a page of 8 MiB is never in memory as bytes as a whole, and small pieces are used again by the allocator. */
const frameCharacters = 32 * 1024;
const lengthBytes = 4;
/** A frame that says it is longer than this was not written here: a record may have 8 MiB, and each character of it three bytes. */
const frameBytesMax = 32 * 1024 * 1024;

/** Each frame is bound to its place, and the last to being the last: none can be left out, moved or cut off. */
const contextOf = (context: string, index: number, isLast: boolean): string => `${context}:${index}:${isLast ? 'last' : 'more'}`;

function* framed(vault: FrameSeal, text: string, context: string, index: number, isLast: boolean): Generator<Buffer> {
  const sealed = vault.seal(Buffer.from(text, 'utf8'), contextOf(context, index, isLast));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(isLast ? (sealed.length | 0x8000_0000) >>> 0 : sealed.length);
  yield length;
  yield sealed;
}

/** Seals lines of text frame by frame. */
export function* sealFrames(vault: FrameSeal, lines: Iterable<string>, context: string): Generator<Buffer> {
  let [text, index] = ['', 0];
  for (const line of lines) {
    if (text.length >= frameCharacters) {
      yield* framed(vault, text, context, index, false);
      text = '';
      index += 1;
    }
    text += line;
  }
  yield* framed(vault, text, context, index, true);
}

/** Reads so many bytes at a time off a stream. */
function createByteReader(stream: Readable): (count: number) => Promise<Buffer> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);
  return async (count) => {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      if (held.length === 0) {
        const next = await chunks.next();
        if (next.done === true) throw new Failure('KEY_UNAVAILABLE', 'A page of an export was cut off');
        held = next.value;
      }
      const piece = held.subarray(0, missing);
      held = held.subarray(piece.length);
      missing -= piece.length;
      pieces.push(piece);
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  };
}

/** Opens what `sealFrames` made, giving the lines of a frame at a time: a step of a stream for each line would cost more than the line. Fails with `KEY_UNAVAILABLE` when anything of it was changed, moved or cut off. */
export async function* openFrames(vault: FrameSeal, stream: Readable, context: string): AsyncGenerator<readonly string[]> {
  const read = createByteReader(stream);
  try {
    for (let index = 0; ; index += 1) {
      const word = (await read(lengthBytes)).readUInt32BE();
      const isLast = word >= 0x8000_0000;
      const length = isLast ? word - 0x8000_0000 : word;
      if (length > frameBytesMax) throw new Failure('KEY_UNAVAILABLE', 'A page of an export has an unknown format');
      const text = vault.open(await read(length), contextOf(context, index, isLast)).toString('utf8');
      const lines = text.split('\n');
      // Each line has its end, so that what is behind the last one is nothing.
      if (lines.pop() !== '') throw new Failure('KEY_UNAVAILABLE', 'A page of an export has an unknown format');
      if (lines.length > 0) yield lines;
      if (isLast) return;
    }
  } finally {
    stream.destroy();
  }
}
