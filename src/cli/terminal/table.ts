/** Lays out rows under a header in columns of equal width, two spaces apart; a line of dashes between. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join('  ').trimEnd();
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map((row) => line(row))];
}
