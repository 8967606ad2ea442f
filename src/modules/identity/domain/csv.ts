import { Failure } from '../../../platform/failure.ts';

/** One record of a CSV file and the line on which it starts, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/** Longer than a row of identifiers can be; a quote that is never closed is found before the whole file is in memory. */
const recordMax = 16_384;

/**
 * Reads CSV (RFC 4180, with LF accepted as a line end) piece by piece, holding one record at a time. Blank lines are passed over.
 * Fails with `VALIDATION_FAILED` that names the line, never its content.
 */
export async function* readCsv(pieces: AsyncIterable<string> | Iterable<string>): AsyncGenerator<CsvRecord> {
  let line = 1;
  let startsAt = 1;
  let size = 0;
  let cells: string[] = [];
  let cell = '';
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  let first = true;
  const fail = (problem: string): Failure => new Failure('VALIDATION_FAILED', `line ${startsAt}: ${problem}`);
  const endCell = (): void => {
    cells.push(cell);
    cell = '';
    state = 'start';
  };
  const endRecord = (): CsvRecord | undefined => {
    endCell();
    const record = { line: startsAt, cells };
    const blank = cells.length === 1 && cells[0] === '';
    cells = [];
    size = 0;
    return blank ? undefined : record;
  };
  for await (const piece of pieces) {
    for (const character of first ? piece.replace(/^\uFEFF/u, '') : piece) {
      size += 1;
      if (size > recordMax) throw fail(`is longer than ${recordMax} characters; a quote may not be closed`);
      if (character === '\n') line += 1;
      if (state === 'quoted') {
        if (character === '"') state = 'closed';
        else cell += character;
      } else if (character === '"') {
        if (state === 'plain') throw fail('has a quote inside a cell that does not start with one');
        if (state === 'closed') cell += '"';
        state = 'quoted';
      } else if (character === ',') endCell();
      else if (character === '\n') {
        const record = endRecord();
        if (record !== undefined) yield record;
        startsAt = line;
      } else if (character !== '\r') {
        if (state === 'closed') throw fail('has text after a closing quote');
        state = 'plain';
        cell += character;
      }
    }
    if (piece !== '') first = false;
  }
  // The loop assigns through closures, which the compiler's narrowing does not follow.
  if ((state as string) === 'quoted') throw fail('has a quote that is not closed');
  const record = endRecord();
  if (record !== undefined) yield record;
}
