/** An address: a 32-bit number for IPv4, a 128-bit one for IPv6, so that the two are never confused. */
export type Address = number | bigint;

/** The addresses from the first to the last, both included; both of one family. */
export interface AddressRange {
  readonly first: Address;
  readonly last: Address;
}

const octet = (text: string): number => (/^\d{1,9}$/u.test(text) ? Number(text) : Number.NaN);

function readIpv4(text: string): number | undefined {
  const octets = text.split('.').map(octet);
  if (octets.length !== 4 || !octets.every((value) => value <= 255)) return undefined;
  return octets.reduce((sum, value) => sum * 256 + value, 0);
}

function readIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const given = groups.flat();
  const missing = 8 - given.length;
  if (!given.every((group) => /^[0-9a-f]{1,4}$/iu.test(group)) || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const all = [...(groups[0] ?? []), ...Array.from({ length: missing }, () => '0'), ...(groups[1] ?? [])];
  return all.reduce((sum, group) => sum * 0x1_00_00n + BigInt(`0x${group}`), 0n);
}

/**
 * Reads an IPv4 or IPv6 address as EventBridge does: octets are decimal, with leading zeros or without; IPv6 has no zone and no dotted tail. Gives undefined for
 * anything else.
 */
export function readAddress(text: string): Address | undefined {
  return text.includes(':') ? readIpv6(text) : readIpv4(text);
}

/**
 * Reads a CIDR block, or says what is wrong with it. Bits beyond the mask may be set and count for nothing; a mask of all bits (/32, /128) is refused, as
 * event-ruler does: name the address itself instead.
 */
export function parseCidr(text: string): AddressRange | { readonly wrong: string } {
  const [host = '', mask, ...more] = text.split('/');
  if (mask === undefined || more.length > 0) return { wrong: 'must be an address, a slash and a number of bits, such as 10.0.0.0/24' };
  const address = readAddress(host);
  if (address === undefined) return { wrong: 'does not begin with an IPv4 or IPv6 address' };
  const bits = typeof address === 'number' ? 32 : 128;
  if (!/^\d{1,3}$/u.test(mask) || Number(mask) >= bits) return { wrong: `must have a mask of 0 to ${bits - 1} bits; for one address write the address itself, as a string` };
  if (typeof address === 'number') {
    const size = 2 ** (32 - Number(mask));
    const first = address - (address % size);
    return { first, last: first + size - 1 };
  }
  const size = 2n ** (128n - BigInt(mask));
  const first = address - (address % size);
  return { first, last: first + size - 1n };
}
