import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Changes the text of one file of the project while it is loaded, and nothing on the disk: a bug that is there for one run only.
 * Throws when the text to replace is not there (any more), since a bug that was not planted would prove nothing.
 */
export function plant(file: string, from: string, to: string): void {
  const url = new URL(`../../../src/${file}`, import.meta.url).href;
  registerHooks({
    load: (loaded, context, next) => {
      const result = next(loaded, context);
      if (loaded !== url) return result;
      const text = typeof result.source === 'string' ? result.source : Buffer.from((result.source ?? new Uint8Array()) as Uint8Array).toString('utf8');
      if (text.split(from).length !== 2) throw new Error(`The text to replace is not once in ${fileURLToPath(url)}; correct what is planted`);
      return { ...result, source: text.replace(from, () => to) };
    },
  });
}
