import { Temporal } from 'temporal-polyfill';
import { Failure } from '../../../platform/failure.ts';
import { laws } from './laws.ts';

/**
 * Gives the instant, in milliseconds since the epoch, by which a request received at `receivedAt` must be answered: the end of the last day
 * of the law's period, in the law's calendar and time zone. A month ends on the same-numbered day, or on the last day of a shorter month
 * (Regulation 1182/71 Art. 3). Weekends do not lengthen the period here: an earlier end is the safe one.
 */
export function dueAt(law: string, receivedAt: number): number {
  const clock = laws[law];
  if (clock === undefined) throw new Failure('CONFIG_INVALID', `There is no clock for the law ${law}; known: ${Object.keys(laws).join(', ')}`);
  const received = Temporal.Instant.fromEpochMilliseconds(receivedAt).toZonedDateTimeISO(clock.timeZone).toPlainDate();
  const last = received.add(clock.response, { overflow: 'constrain' });
  const end = last.toZonedDateTime({ timeZone: clock.timeZone, plainTime: '23:59:59' });
  return end.epochMilliseconds;
}
