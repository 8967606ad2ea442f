import type { MessageText } from '../notification.ts';
import type { NoticeTemplate } from './notice-texts.ts';

/** A part of a notice, of which text and HTML are made alike. */
export type Block =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'list'; readonly intro: string; readonly items: readonly { readonly text: string; readonly under: readonly string[] }[] }
  | { readonly kind: 'code'; readonly lines: readonly string[] }
  | { readonly kind: 'link'; readonly url: string };

/** What stands for the placeholders of a template: words, and whole parts. */
export interface Filling {
  readonly values: Readonly<Record<string, string>>;
  readonly blocks?: Readonly<Record<string, readonly Block[]>>;
}

/** Puts values in the place of `{placeholders}`, once: what a value holds is never taken for another placeholder. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{([a-z_]+)\}/gu, (whole, name: string) => values[name] ?? whole);
}

/** Makes the parts of a text: its paragraphs, and in the place of a paragraph that is one placeholder its blocks. */
export function blocksOf(text: string, { values, blocks = {} }: Filling): readonly Block[] {
  return text.split(/\n{2,}/u).flatMap((paragraph): readonly Block[] => {
    const name = /^\s*\{([a-z_]+)\}\s*$/u.exec(paragraph)?.[1];
    if (name !== undefined && Object.hasOwn(blocks, name)) return blocks[name] ?? [];
    return [{ kind: 'lines', lines: paragraph.split('\n').map((line) => fill(line, values)) }];
  });
}

/** Makes a message of a template: the text, and the same as HTML, without anything that is fetched and with every value escaped. */
export function renderNotice(template: NoticeTemplate, filling: Filling, language: string): MessageText {
  const subject = fill(template.subject, filling.values).replaceAll(/\s+/gu, ' ');
  const blocks = blocksOf(template.text, filling);
  return { subject, text: `${blocks.map(textOf).join('\n\n')}\n`, html: page(subject, blocks, language) };
}

function textOf(block: Block): string {
  switch (block.kind) {
    case 'lines':
      return block.lines.join('\n');
    case 'list':
      return [block.intro, ...block.items.flatMap((item) => [`  ${item.text}`, ...item.under.map((line) => `      ${line}`)])].join('\n');
    case 'code':
      return block.lines.map((line) => `  ${line}`).join('\n');
    case 'link':
      return block.url;
  }
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string): string => text.replaceAll(/[&<>"']/gu, (character) => escapes[character] ?? '');

function htmlOf(block: Block): string {
  switch (block.kind) {
    case 'lines':
      return `<p>${block.lines.map(escape).join('<br>\n')}</p>`;
    case 'list': {
      const items = block.items.map((item) => `<li>${escape(item.text)}${item.under.length === 0 ? '' : `<ul>${item.under.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`}</li>`);
      return `<p>${escape(block.intro)}</p>\n<ul>\n${items.join('\n')}\n</ul>`;
    }
    case 'code':
      return `<pre style="white-space:pre-wrap;overflow-wrap:anywhere">${block.lines.map(escape).join('\n')}</pre>`;
    case 'link':
      return `<p><a href="${escape(block.url)}">${escape(block.url)}</a></p>`;
  }
}

function page(subject: string, blocks: readonly Block[], language: string): string {
  return [
    '<!doctype html>',
    `<html lang="${escape(language)}" dir="auto">`,
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(subject)}</title></head>`,
    '<body style="margin:0;background:#ffffff;color:#1a1a1a;font-family:sans-serif;font-size:1em;line-height:1.5">',
    '<main style="max-width:40em;margin:0 auto;padding:1em">',
    `<h1 style="font-size:1.25em">${escape(subject)}</h1>`,
    ...blocks.map(htmlOf),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}
