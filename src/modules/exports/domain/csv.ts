/** Columns of their own; what a record has beyond them goes into the last one, as JSON. */
export const csvColumnsMax = 256;

/**
 * Characters with which a spreadsheet begins a formula, their full-width forms among them, and those that it passes over before one
 * (OWASP, "CSV Injection").
 */
const beginsFormula = /^[\s\p{Cc}\uFEFF]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

/** Gives one cell: quoted where it must be, and a text that a spreadsheet would take for a formula behind an apostrophe. */
export function csvCell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const plain = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = beginsFormula.test(plain) ? `'${plain}` : plain;
  return /[",\r\n;\t]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const isPlainObject = (data: unknown): data is Record<string, unknown> => typeof data === 'object' && data !== null && !Array.isArray(data);

/** The columns of a category, in the order in which its records first have them. */
export interface CsvColumns {
  readonly note: (data: unknown) => void;
  /** The header's line. */
  readonly header: () => string;
  /** A record's line. */
  readonly row: (system: string, type: string, data: unknown) => string;
}

/** Collects the columns of a category's records, at most `csvColumnsMax`, to write them afterwards. What is no object has one column, `value`. */
export function createCsvColumns(): CsvColumns {
  const names = new Set<string>();
  let overflows = false;
  const line = (cells: readonly unknown[]): string => `${cells.map(csvCell).join(',')}\r\n`;
  return {
    note: (data) => {
      for (const key of isPlainObject(data) ? Object.keys(data) : ['value']) {
        if (names.size < csvColumnsMax) names.add(key);
        else if (!names.has(key)) overflows = true;
      }
    },
    header: () => line(['_system', '_type', ...names, ...(overflows ? ['_more'] : [])]),
    row: (system, type, data) => {
      const fields: Record<string, unknown> = isPlainObject(data) ? data : { value: data };
      const cells = [...names].map((name) => (Object.hasOwn(fields, name) ? fields[name] : undefined));
      const rest = overflows ? Object.entries(fields).filter(([key]) => !names.has(key)) : [];
      const more = overflows ? [rest.length === 0 ? undefined : Object.fromEntries(rest)] : [];
      return line([system, type, ...cells, ...more]);
    },
  };
}
