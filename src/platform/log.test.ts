import { expect, test } from 'vitest';
import { Failure } from './failure.ts';
import { createLog, describeError } from './log.ts';

/** What somebody else's text may look like: a message whose lines pass for places in the code. */
const quoting = 'no such user\n    at ada@example.com\n    at Object.send (/srv/ada@example.com.ts:1:1)';

function logged(error: unknown): string {
  const lines: string[] = [];
  createLog('trace', { write: (line: string) => void lines.push(line) }).error({ err: error }, 'failed');
  return lines.join('');
}

test('of an error its class, its code and its place are logged, and nothing of its message, not even lines that look like places', () => {
  const error = Object.assign(new TypeError(quoting), { code: 'EENVELOPE', detail: 'Key (email)=(ada@example.com) already exists.', response: '550 ada@example.com' });
  const line = logged(error);
  expect(line).not.toContain('ada@');
  expect(JSON.parse(line)).toMatchObject({ err: { name: 'TypeError', code: 'EENVELOPE', frames: expect.arrayContaining([expect.stringContaining('log.test.ts')]) } });
});

test('what hangs on an error is logged of none of its causes either', () => {
  expect(logged(new Failure('VENDOR_MALFORMED', 'The vendor answered with something that is not JSON', { cause: new SyntaxError(quoting) }))).not.toContain('ada@');
  expect(logged(new Error('outer', { cause: new Error(quoting) }))).not.toContain('ada@');
});

test('a code that is not one, and a thrown text, are not repeated', () => {
  expect(describeError(Object.assign(new Error('x'), { code: 'ada@example.com' }))).not.toHaveProperty('code');
  expect(describeError('ada@example.com')).toEqual({ name: 'string' });
});
