import { isIP } from 'node:net';
import { isInternalAddress } from './internal-address.ts';

/** True for an address by which credentials and personal data would cross the public internet unencrypted: `http:`, and no host of one's own. */
export function travelsInClear(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  if (protocol !== 'http:') return false;
  const host = hostname.replaceAll(/^\[|\]$/gu, '');
  if (isIP(host) !== 0) return !isInternalAddress(host);
  return !/(?:^|\.)(?:localhost|internal|local)$/u.test(host);
}
