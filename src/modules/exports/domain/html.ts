import { createHash } from 'node:crypto';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' };

/** Escapes a text for an element or a quoted attribute. What no reader could see is shown as its code point. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[&<>"'`]/gu, (character) => entities[character] ?? '')
    .replaceAll(/[[\p{Cc}--[\t\n\r]]\u061C\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gv, (character) => `[U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** The one style of every page, readable on a telephone, in print, and in the dark. */
export const pageStyle =
  'html{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:bold}' +
  'th,td{border:1px solid #767676;padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}td{white-space:pre-wrap}.scroll{overflow-x:auto}input,button{font:inherit;padding:.5rem;border:2px solid currentColor;border-radius:.2rem}' +
  ':focus-visible{outline:3px solid #d97706;outline-offset:2px}.skip{position:absolute;left:-100rem}.skip:focus{left:1rem}';

/** Its hash, which is all that a content security policy has to allow. */
export const styleHash = `'sha256-${createHash('sha256').update(pageStyle, 'utf8').digest('base64')}'`;

/** The beginning of a page: no scripts, nothing from elsewhere. `title` is text. */
export function pageHead(title: string): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${styleHash}; form-action 'self'; base-uri 'none'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${pageStyle}</style>`,
    '</head>',
    '<body>',
    '',
  ].join('\n');
}

/** The end of a page. */
export const pageEnd = '</body>\n</html>\n';
