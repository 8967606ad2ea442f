import { vi } from 'vitest';

/** Lets every time-out that is made from now on by `AbortSignal.timeout` pass this many times sooner, until the mocks of the test are restored. */
export function hasten(times: number): void {
  const real = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => real(Math.ceil(ms / times)));
}
