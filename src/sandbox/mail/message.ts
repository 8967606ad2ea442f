/** One message that the inbox took, with what a person would see of it. */
export interface MailMessage {
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly from: string;
  /** The addresses of the envelope, not of the header. */
  readonly to: readonly string[];
  readonly subject: string;
  /** The first text/plain part, decoded; the first part of any kind when there is none. */
  readonly text: string;
  readonly raw: string;
}

interface Part {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** More nesting than any mailer makes; deeper parts are taken as text. */
const DEPTH_MAX = 5;

function split(source: string): Part {
  const end = /\r?\n\r?\n/u.exec(source);
  const head = end === null ? source : source.slice(0, end.index);
  const unfolded = head.replaceAll(/\r?\n[ \t]+/gu, ' ');
  const headers = new Map<string, string>();
  for (const line of unfolded.split(/\r?\n/u)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: end === null ? '' : source.slice(end.index + end[0].length) };
}

const charsetOf = (label: string | undefined): 'latin1' | 'utf8' => (/^(?:iso-8859-1|latin1|windows-1252)$/iu.test(label ?? '') ? 'latin1' : 'utf8');

function bytesOfQuotedPrintable(text: string): Buffer {
  const joined = text.replaceAll(/=[ \t]*\r?\n/gu, '');
  const binary = joined.replaceAll(/=([0-9A-Fa-f]{2})/gu, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(binary, 'latin1');
}

function decodeWords(header: string): string {
  const joined = header.replaceAll(/(\?=)\s+(=\?)/gu, '$1$2');
  return joined.replaceAll(/=\?([^?]+)\?([BQbq])\?([^?]*)\?=/gu, (_all, charset: string, encoding: string, text: string) => {
    const bytes = encoding.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : bytesOfQuotedPrintable(text.replaceAll('_', ' '));
    return bytes.toString(charsetOf(charset));
  });
}

function decodeBody({ headers, body }: Part): string {
  const charset = charsetOf(/charset="?([^";\s]+)/iu.exec(headers.get('content-type') ?? '')?.[1]);
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase();
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString(charset);
  if (encoding === 'quoted-printable') return bytesOfQuotedPrintable(body).toString(charset);
  // The source was read byte for byte, so that every transfer encoding could be undone.
  return Buffer.from(body, 'latin1').toString(charset);
}

function partsOf(part: Part, depth: number): Part[] {
  const boundary = /^multipart\/.*boundary="?([^";]+)"?/iu.exec(part.headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined || depth >= DEPTH_MAX) return [part];
  const sections = `\n${part.body}`.split(`\n--${boundary}`).slice(1);
  return sections
    .filter((section) => !section.startsWith('--'))
    .flatMap((section) => partsOf(split(section.replace(/^\r?\n/u, '').replace(/\r$/u, '')), depth + 1));
}

const isPlain = (part: Part): boolean => /^text\/plain/iu.test(part.headers.get('content-type') ?? 'text/plain');

/** Reads the subject and the text of a message; never throws, whatever was sent. `source` holds one character for each byte. */
export function readMessage(source: string): { subject: string; text: string } {
  const root = split(source);
  const parts = partsOf(root, 0);
  const chosen = parts.find(isPlain) ?? parts[0] ?? root;
  return { subject: decodeWords(root.headers.get('subject') ?? ''), text: decodeBody(chosen) };
}
