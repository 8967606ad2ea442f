import type { MailMessage } from './message.ts';

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string): string => text.replaceAll(/[&<>"']/gu, (character) => ENTITIES[character] ?? '');

/** The inbox as one HTML page, newest first; everything that came by mail is escaped. */
export function renderInbox(messages: readonly MailMessage[]): string {
  const items = messages.toReversed().map((each) => {
    const at = new Date(each.receivedAt).toISOString();
    return `<article><h2>${escape(each.subject)}</h2><p>To ${escape(each.to.join(', '))}, from ${escape(each.from)}, <time>${at}</time></p><pre>${escape(each.text)}</pre></article>`;
  });
  const body = items.length === 0 ? '<p>No message yet.</p>' : items.join('\n');
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox inbox</title></head><body><main><h1>Sandbox inbox</h1>\n${body}\n</main></body></html>\n`;
}
