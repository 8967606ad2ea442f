import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readCsv } from './csv.ts';

async function read(...pieces: string[]): Promise<{ line: number; cells: readonly string[] }[]> {
  const records = [];
  for await (const record of readCsv(pieces)) records.push(record);
  return records;
}

it('reads quotes, commas and line ends inside quotes, both kinds of line end and a byte order mark', async () => {
  expect(await read('\uFEFFa,b\r\n"x, ""y""\n",2\n\n3,')).toEqual([
    { line: 1, cells: ['a', 'b'] },
    { line: 2, cells: ['x, "y"\n', '2'] },
    { line: 5, cells: ['3', ''] },
  ]);
});

it('reads the same however the text is cut into pieces', async () => {
  const cell = fc.string({ maxLength: 8 }).map((text) => text.replaceAll('\r', ''));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 5 }), fc.nat(60), async (rows, cut) => {
      const text = rows.map((row) => row.map((each) => `"${each.replaceAll('"', '""')}"`).join(',')).join('\n');
      const records = await read(text.slice(0, cut), text.slice(cut));
      expect(records.map((record) => record.cells)).toEqual(rows);
    }),
  );
});

it.each([
  ['a,b\n"never closed', 'line 2: has a quote that is not closed'],
  ['a,b\n1,"x"y', 'line 2: has text after a closing quote'],
  ['a,b\n1,x"y"', 'line 2: has a quote inside a cell'],
  [`a,b\n"${'x'.repeat(20_000)}`, 'line 2: is longer than'],
])('names the line of what it cannot read (%#)', async (text, detail) => {
  await expect(read(text)).rejects.toMatchObject({ code: 'VALIDATION_FAILED', detail: expect.stringContaining(detail) as string });
});
