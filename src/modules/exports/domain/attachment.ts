/** A record that is a file, as a system gives it: `{filename, content_type, base64}`, beside whatever else it says of it. */
export interface Attachment {
  readonly filename: string;
  readonly contentType: string;
  readonly base64: string;
}

/** Where a record stands in what was gathered: enough to name its file the same way whenever the package is made. */
export interface RecordPlace {
  readonly connection: string;
  /** The how-many-eth task of the request, from 1. */
  readonly task: number;
  readonly ordinal: number;
  /** The how-many-eth record of its page, from 0. */
  readonly index: number;
}

/** Reads a record's data as a file, or answers undefined when it is none. */
export function readAttachment(data: unknown): Attachment | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { filename, content_type: contentType, base64 } = data as Record<string, unknown>;
  if (typeof filename !== 'string' || typeof contentType !== 'string' || typeof base64 !== 'string') return undefined;
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/u.test(base64)) return undefined;
  return { filename, contentType, base64 };
}

/** Names that Windows takes for devices, whatever comes behind the dot. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/iu;

/**
 * Gives the path of an attachment in the package: its place, which makes it the only one of its name, and what of the given name is harmless in
 * every file system. No directory of the given name is kept.
 */
export function attachmentPath(place: RecordPlace, filename: string): string {
  const base = filename.split(/[/\\]/u).at(-1) ?? '';
  const harmless = base.replaceAll(/[^A-Za-z0-9._-]+/gu, '_').replace(/^[._-]+/u, '').slice(-80);
  const name = harmless === '' || device.test(harmless) ? 'file' : harmless;
  const at = `${place.connection}-${place.task}-${String(place.ordinal).padStart(6, '0')}-${String(place.index).padStart(5, '0')}`;
  return `attachments/${at}-${name}`;
}

/** A record's data with its file's place in the package instead of the file. */
export function withoutContent(data: unknown, path: string): unknown {
  return Object.fromEntries(Object.entries(data as Record<string, unknown>).map(([key, value]) => (key === 'base64' ? ['file', path] : [key, value])));
}
