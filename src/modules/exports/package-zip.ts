import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';

/** A file as it went into the archive. */
export interface PackedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** An archive that is being written. */
export interface PackageZip {
  /** The archive's bytes. It ends after `end`, and breaks off with the error of whatever failed. */
  readonly output: Readable;
  /** Writes a file, and answers when its last byte went in. One after the other. Fails as its content does, or when nobody reads any more. */
  readonly add: (path: string, content: AsyncIterable<string | Buffer> | Iterable<string | Buffer>) => Promise<PackedFile>;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

/** What is handed on at once: enough that a record of some bytes costs no step of a stream of its own. */
const chunkCharacters = 32 * 1024;

/** Joins small pieces to larger ones: texts as texts, since a buffer for each would cost more than its content. */
async function* inChunks(content: AsyncIterable<string | Buffer> | Iterable<string | Buffer>): AsyncGenerator<Buffer> {
  let text = '';
  for await (const piece of content) {
    if (typeof piece !== 'string') {
      if (text !== '') yield Buffer.from(text, 'utf8');
      text = '';
      yield piece;
      continue;
    }
    text += piece;
    if (text.length < chunkCharacters) continue;
    yield Buffer.from(text, 'utf8');
    text = '';
  }
  if (text !== '') yield Buffer.from(text, 'utf8');
}

/** Makes an archive whose files all bear one time, so that the same content gives the same bytes. */
export function createPackageZip(at: Date): PackageZip {
  const zip = new ZipFile();
  const output = new PassThrough();
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  const fail = (error: unknown): void => void output.destroy(error instanceof Error ? error : new Error('The archive could not be written', { cause: error }));
  zip.on('error', fail);
  output.on('error', (error) => closed.reject(error));
  output.on('close', () => closed.reject(new Error('Nobody reads the archive any more')));
  zip.outputStream.pipe(output);
  return {
    output,
    fail,
    add: async (path, content) => {
      const hash = createHash('sha256');
      const done = Promise.withResolvers<PackedFile>();
      let bytes = 0;
      const hashed = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of inChunks(content)) {
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      };
      const source = Readable.from(hashed(), { objectMode: false, highWaterMark: chunkCharacters });
      source.on('error', (error) => {
        done.reject(error);
        fail(error);
      });
      source.on('end', () => done.resolve({ path, bytes, sha256: hash.digest('hex') }));
      zip.addReadStream(source, path, { mtime: at, mode: 0o100644 });
      try {
        return await Promise.race([done.promise, closed.promise]);
      } finally {
        done.promise.catch(() => undefined);
        source.destroy();
      }
    },
    end: () => zip.end(),
  };
}
