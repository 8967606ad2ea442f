import { describe, expect, it } from 'vitest';
import { isInternalAddress } from './internal-address.ts';

describe('isInternalAddress', () => {
  it.each([
    '127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '100.127.255.255', '0.0.0.0', '198.18.0.1', '224.0.0.1', '255.255.255.255', '168.63.129.16',
    '::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12:3456::1', 'ff02::1', 'fec0::1', '2001:db8::1', '2002:7f00:1::', '2001::1', '100::1',
    '::ffff:127.0.0.1', '::ffff:a00:1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::a00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a00:1',
    'localhost', '', '1.2.3', '0x7f.1',
  ])('takes %s for internal', (address) => {
    expect(isInternalAddress(address)).toBe(true);
  });

  it.each(['8.8.8.8', '172.15.255.255', '172.32.0.1', '100.63.255.255', '100.128.0.1', '169.253.0.1', '2606:4700::1111', '2a00:1450:4001::1', '64:ff9b::8.8.8.8', '64:ff9b::808:808'])('takes %s for public', (address) => {
    expect(isInternalAddress(address)).toBe(false);
  });
});
