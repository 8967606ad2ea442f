import { randomBytes } from 'node:crypto';

/** Promises a fresh SID of the older Twilio products: a two-letter prefix and 32 hexadecimal digits. */
export function newSid(prefix: string): string {
  return prefix + randomBytes(16).toString('hex');
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Promises a fresh Twilio Type ID, as Memory and Orchestrator use: `mem_profile_` and 26 characters, of which the first is 0 to 7. */
export function newTypeId(prefix: string): string {
  const bytes = randomBytes(26);
  let text = '';
  for (const [index, byte] of bytes.entries()) text += alphabet[byte % (index === 0 ? 8 : 32)] ?? '0';
  return `${prefix}_${text}`;
}

/** Promises the form that v2010 answers dates in: `Fri, 24 May 2019 17:44:46 +0000`. */
export function rfc2822(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000');
}

/** Promises the form that Conversations and Memory answer dates in: ISO 8601 in UTC, without milliseconds. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/u, 'Z');
}
