import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { Failure } from '../../platform/failure.ts';
import { lawPackSchema, type LawPack } from './domain/law-pack.ts';

/** The law packs of this version, by their laws. */
export type LawPacks = ReadonlyMap<string, LawPack>;

const folder = fileURLToPath(new URL('../../../law-packs/', import.meta.url));

/** Reads one law pack. Fails with `CONFIG_INVALID` that names the file, the place in it and the rule. */
export function readLawPack(text: string, file: string): LawPack {
  const document = parseDocument(text, { uniqueKeys: true });
  const problem = document.errors[0];
  if (problem !== undefined) throw new Failure('CONFIG_INVALID', `${file}, line ${problem.linePos?.[0].line ?? '?'}: this is not valid YAML (${problem.code})`);
  const parsed = lawPackSchema.safeParse(document.toJS({ maxAliasCount: 10 }));
  if (parsed.success) return Object.freeze(parsed.data);
  throw new Failure('CONFIG_INVALID', parsed.error.issues.map((issue) => `${file}: /${issue.path.map(String).join('/')}: ${issue.message}`).join('; '));
}

/** Reads every pack of a folder. Fails with `CONFIG_INVALID` for a broken one, and for two of one law. */
export function loadLawPacks(from: string): LawPacks {
  const packs = new Map<string, LawPack>();
  for (const file of readdirSync(from).filter((name) => name.endsWith('.yaml')).toSorted()) {
    const pack = readLawPack(readFileSync(join(from, file), 'utf8'), `law-packs/${file}`);
    if (packs.has(pack.law)) throw new Failure('CONFIG_INVALID', `law-packs/${file}: /law: there is a pack of ${pack.law} already`);
    packs.set(pack.law, pack);
  }
  return packs;
}

let shipped: LawPacks | undefined;

/** The packs that come with this version; read once. */
export function shippedLawPacks(): LawPacks {
  shipped ??= loadLawPacks(folder);
  return shipped;
}
