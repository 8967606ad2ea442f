import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Expectation } from './expectations.ts';

/** Searches every file of stopped servers' folders and logs for what identifies the demo's people, in plain, in base64 and as in a URL. */
export async function searchFolder(folder: string, logPath: string, marks: readonly string[]): Promise<Expectation> {
  const forms = marks.flatMap((mark) => [mark, Buffer.from(mark).toString('base64').replace(/=+$/u, ''), encodeURIComponent(mark)]);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
  const hits = [...files, ...(existsSync(logPath) ? [logPath] : [])].flatMap((path) => {
    const bytes = readFileSync(path);
    const found = forms.find((form) => bytes.includes(form));
    return found === undefined ? [] : [`${path} holds ${found}`];
  });
  return { what: 'none of the people is found anywhere in Quittance’s own files', seen: hits.length === 0, detail: hits[0] ?? `${files.length} files searched, databases, keys and log` };
}
