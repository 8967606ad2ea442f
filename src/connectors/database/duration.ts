/** A length of time as the data map writes it: `30d`, `18m`, `7y`. */
export const durationPattern = /^([1-9]\d{0,3})([dmy])$/u;

/**
 * Gives the moment that comes a duration after another, in milliseconds since the epoch. Months and years are of the calendar, in UTC; a day that a
 * month does not have is its last.
 */
export function addDuration(startMs: number, duration: string): number {
  const match = durationPattern.exec(duration);
  if (match === null) throw new Error('A duration was not checked before it was used');
  const amount = Number(match[1]);
  if (match[2] === 'd') return startMs + amount * 86_400_000;
  const start = new Date(startMs);
  const months = start.getUTCFullYear() * 12 + start.getUTCMonth() + (match[2] === 'y' ? 12 * amount : amount);
  const [year, month] = [Math.floor(months / 12), months % 12];
  const day = Math.min(start.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
  return Date.UTC(year, month, day) + (startMs - Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()));
}

/** Reads a date or a time as both databases write it in UTC (`2024-05-06 07:08:09.123+00`); undefined for what is neither, such as `infinity`. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*)?(?:\+00(?::00)?|Z)?$/u.exec(text);
  if (match === null) return undefined;
  const time = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}Z`);
  return Number.isNaN(time) ? undefined : time;
}
