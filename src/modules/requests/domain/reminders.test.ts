import { expect, test } from 'vitest';
import { dueReminders, type WatchedDate } from './reminders.ts';

const hour = 3_600_000;
const deadline: WatchedDate = { kind: 'deadline', since: 0, at: 720 * hour };

test('a date is said to be near in time, to have passed when it has, and both are looked for', () => {
  expect(dueReminders([deadline], 100 * hour)).toEqual({ due: [], nextAt: 648 * hour });
  expect(dueReminders([deadline], 648 * hour)).toEqual({ due: [{ kind: 'deadline', when: 'soon', at: 720 * hour }], nextAt: 720 * hour });
  expect(dueReminders([deadline], 720 * hour)).toEqual({ due: [{ kind: 'deadline', when: 'passed', at: 720 * hour }], nextAt: undefined });
});

test('a short period is not said to be near as soon as it begins', () => {
  const short: WatchedDate = { kind: 'deadline', since: 0, at: 72 * hour };
  expect(dueReminders([short], 0)).toEqual({ due: [], nextAt: 36 * hour });
});

test('no date passes unannounced between two looks, however far apart', () => {
  const dates: readonly WatchedDate[] = [deadline, { kind: 'target', since: 0, at: 72 * hour }, { kind: 'acknowledgement', since: 0, at: 240 * hour }];
  const said = new Set<string>();
  for (let now: number | undefined = 0; now !== undefined; ) {
    const { due, nextAt } = dueReminders(dates, now);
    for (const each of due) said.add(`${each.kind} ${each.when}`);
    now = nextAt;
  }
  expect([...said].toSorted()).toEqual(['acknowledgement passed', 'acknowledgement soon', 'deadline passed', 'deadline soon', 'target passed', 'target soon']);
});
