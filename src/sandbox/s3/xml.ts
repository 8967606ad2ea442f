/** A value of an XML document: text, elements, or the same element several times. */
export type Xml = string | number | boolean | undefined | { readonly [name: string]: Xml | readonly Xml[] };

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function element(name: string, value: Xml | readonly Xml[]): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return (value as readonly Xml[]).map((each) => element(name, each)).join('');
  if (typeof value !== 'object') return `<${name}>${escape(String(value))}</${name}>`;
  const children = Object.entries(value as Readonly<Record<string, Xml>>).map(([child, each]) => element(child, each));
  return `<${name}>${children.join('')}</${name}>`;
}

/** A document as S3 answers it. Fields that are undefined are left out. */
export function documentOf(root: string, value: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(root, value).replace(`<${root}>`, root === 'Error' ? '<Error>' : `<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)}`;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const plain = (text: string): string =>
  text.replaceAll(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/giu, (whole, hex: string | undefined, decimal: string | undefined, name: string | undefined) =>
    hex !== undefined ? String.fromCodePoint(Number.parseInt(hex, 16)) : decimal !== undefined ? String.fromCodePoint(Number(decimal)) : (entities[name ?? ''] ?? whole),
  );

/** The texts of every element of a name, in order. */
export function textsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'gu'))].map(([, text = '']) => plain(text));
}

/** The insides of every element of a name, for what has elements itself. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'gu'))].map(([, inside = '']) => inside);
}
