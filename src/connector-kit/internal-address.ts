import { BlockList, isIP, isIPv6 } from 'node:net';

/**
 * What is not on the public internet (IANA special-purpose registries, RFC 6890): this host, private use, shared address space of carriers,
 * link-local with the metadata services of clouds, benchmarking, documentation, multicast, reserved.
 */
const ipv4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // A metadata service that has a public address.
  ['168.63.129.16', 32],
];
/** Of IPv6 only global unicast is public, and of that neither what carries an IPv4 address inside (6to4, Teredo) nor documentation. */
const ipv6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const internal4 = new BlockList();
for (const [address, bits] of ipv4) internal4.addSubnet(address, bits, 'ipv4');
const internal6 = new BlockList();
for (const [address, bits] of ipv6) internal6.addSubnet(address, bits, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
/** IPv4 behind a translator (RFC 6052): what counts is the address inside. */
const nat64 = new BlockList();
nat64.addSubnet('64:ff9b::', 96, 'ipv6');

/** True for an address that no public system has; also for anything that is not an address. IPv4 in IPv6 is judged by the address inside. */
export function isInternalAddress(address: string): boolean {
  if (isIP(address) === 0) return true;
  if (!isIPv6(address)) return internal4.check(address, 'ipv4');
  const plain = address.split('%', 1)[0] ?? '';
  const hex = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  if (nat64.check(hex, 'ipv6')) return internal4.check(lastFourBytes(hex), 'ipv4');
  return !global6.check(hex, 'ipv6') || internal6.check(hex, 'ipv6');
}

/** The last 32 bits of an IPv6 address in the form that a URL gives it, as IPv4: `64:ff9b::a00:1` is `10.0.0.1`. */
function lastFourBytes(hex: string): string {
  const groups = hex.split(':').slice(-2).map((each) => Number.parseInt(each === '' ? '0' : each, 16));
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
}
