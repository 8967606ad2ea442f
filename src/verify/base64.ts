/**
 * Decodes standard base64 (RFC 4648, section 4) strictly, or answers undefined: no missing padding, no stray bits, no other alphabet.
 * Node's own decoder skips what it does not know, so two texts could mean the same bytes and a changed byte would pass.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Decodes UTF-8 strictly, or answers undefined. A text that holds U+FFFD itself is refused too: no honest writer makes one. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return text.includes('\uFFFD') ? undefined : text;
}
