import { Transform } from 'node:stream';

/** A stream that passes everything on and knows how much it was. */
export interface CountedStream {
  readonly stream: Transform;
  readonly bytes: () => number;
}

/** Makes a stream that counts bytes. */
export function createCountedStream(): CountedStream {
  let bytes = 0;
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes };
}
