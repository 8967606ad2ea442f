import { escapeHtml, pageEnd, pageHead } from './html.ts';

/** A page about a link, for people. */
export interface LinkPage {
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** Set where a code can be asked for, or given. Paths on this server. */
  readonly forms?: { readonly code: string; readonly download: string };
}

/** Gives the page. It works without scripts, and with a keyboard and a screen reader. */
export function linkPage({ title, paragraphs, forms }: LinkPage): string {
  const shown = paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join('\n');
  const asked =
    forms === undefined
      ? ''
      : [
          `<form method="post" action="${escapeHtml(forms.code)}"><p><button type="submit">Send me a code</button></p></form>`,
          `<form method="post" action="${escapeHtml(forms.download)}">`,
          '<p><label for="code">The code from the message, 8 digits</label><br>',
          '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 \\-]{8,16}" required maxlength="16"></p>',
          '<p><button type="submit">Download</button></p></form>',
          '',
        ].join('\n');
  return `${pageHead(title)}<main>\n<h1>${escapeHtml(title)}</h1>\n${shown}\n${asked}</main>\n${pageEnd}`;
}
