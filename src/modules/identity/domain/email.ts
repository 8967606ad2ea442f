import { domainToASCII, domainToUnicode } from 'node:url';

/** An e-mail address in normal form, or what is wrong with it and what to do, without the value. */
export type EmailResult = { readonly value: string } | { readonly problem: string };

/** RFC 5321, section 4.5.3.1: a path has at most 256 octets with its brackets, a local part at most 64. */
const addressBytesMax = 254;
const localBytesMax = 64;

/** RFC 5322 dot-atom, with the letters of RFC 6531; no quotes, spaces or comments, which no mailbox in use has. */
const localRule = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
/** What may be handed to IDNA: without this, `%61` and `0x7f.1` would be read as URLs read them. */
const domainRule = /^[\p{L}\p{M}\p{N}.\u3002-]+$/u;
const hostRule = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?=[a-z0-9-]*[a-z])[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u;

/** Scripts that are written together with Latin, and look like nothing in it (Unicode TR 39, highly restrictive). */
const besideLatin = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]/u;
const latin = /\p{Script=Latin}/u;
const neutral = /[\p{Script=Common}\p{Script=Inherited}]/u;

/** Says whether a text mixes Latin letters with letters of a script that has look-alikes of them. */
function mixesScripts(text: string): boolean {
  return latin.test(text) && Array.from(text).some((character) => !latin.test(character) && !neutral.test(character) && !besideLatin.test(character));
}

const homoglyphs = 'mixes Latin letters with look-alikes of another script; write it in one script, as the mail provider does';

/**
 * Gives an address in normal form: NFC, trimmed, both parts in lower case, the domain as IDNA A-labels (UTS 46).
 * Refuses what could be taken for another address: control and invisible characters, compatibility forms, mixed scripts in a part.
 */
export function normaliseEmail(text: string): EmailResult {
  if (!text.isWellFormed() || /\p{Cc}/u.test(text)) return { problem: 'has control characters; remove them' };
  const given = text.normalize('NFC').trim();
  const at = given.indexOf('@');
  if (at < 1 || at !== given.lastIndexOf('@')) return { problem: 'must have exactly one @, as in name@example.com' };
  const local = given.slice(0, at).toLowerCase().normalize('NFC');
  const domain = given.slice(at + 1);
  if (/[\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(given)) return { problem: 'has invisible characters; type it anew' };
  if (mixesScripts(local)) return { problem: `${homoglyphs} (before the @)` };
  if (local.normalize('NFKC') !== local) return { problem: 'has letters in a compatibility form before the @; write plain letters' };
  if (!localRule.test(local)) return { problem: 'has a character before the @ that no mailbox has' };
  if (Buffer.byteLength(local) > localBytesMax) return { problem: `may have at most ${localBytesMax} bytes before the @` };
  const ascii = domainRule.test(domain) ? domainToASCII(domain) : '';
  if (!hostRule.test(ascii)) return { problem: 'must have an internet domain after the @, as in name@example.com' };
  if (domainToUnicode(ascii).split('.').some(mixesScripts)) return { problem: `${homoglyphs} (after the @)` };
  const value = `${local}@${ascii}`;
  if (Buffer.byteLength(value) > addressBytesMax) return { problem: `may have at most ${addressBytesMax} bytes` };
  return { value };
}
