import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  consistencyRanges,
  createFrontier,
  emptyRoot,
  inclusionRanges,
  leafHash,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootOf,
  sha256,
  verifyConsistency,
  verifyInclusion,
  type NodeReader,
} from './merkle.ts';

/** The reference definition of RFC 6962, section 2.1, written as it stands there. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

const leavesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
const all = leavesOf(320);
const roots = all.map((_, at) => rootOf(all.slice(0, at)));
const read: NodeReader = async (nodes) =>
  nodes.map(({ level, index }) => treeHash(all.slice(index * 2 ** level, (index + 1) * 2 ** level)));

/** The leaves of certificate-transparency-go's testonly/reference data, and the roots of its trees of 0 to 8. */
const published = {
  leaves: ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'],
  roots: [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ],
};

describe('the Merkle tree', () => {
  it('has the published roots of Certificate Transparency for 0 to 8 leaves', () => {
    const leaves = published.leaves.map((hex) => leafHash(Buffer.from(hex, 'hex')));
    expect(published.roots.map((_, size) => rootOf(leaves.slice(0, size)).toString('hex'))).toEqual(published.roots);
  });

  it('has the root of the recursive definition for every size', () => {
    for (let size = 0; size < 130; size += 1) expect(roots[size]).toEqual(treeHash(all.slice(0, size)));
  });

  it('goes on from any size with the hashes it kept', () => {
    for (let size = 0; size < 200; size += 7) {
      const before = createFrontier();
      for (const leaf of all.slice(0, size)) before.append(leaf);
      const after = createFrontier(size, before.hashes());
      for (const leaf of all.slice(size, 200)) after.append(leaf);
      expect(after.root()).toEqual(roots[200]);
    }
  });

  it('refuses to go on with hashes that do not belong to the size', () => {
    expect(() => createFrontier(5, [emptyRoot])).toThrow(RangeError);
    expect(() => createFrontier(1, [Buffer.alloc(31)])).toThrow(RangeError);
  });

  it('proves the inclusion of every leaf in every tree, and nothing else with that proof', async () => {
    const arbitrary = fc.integer({ min: 1, max: 319 }).chain((size) => fc.record({ size: fc.constant(size), index: fc.nat(size - 1), other: fc.nat(319), at: fc.nat(), bit: fc.nat(255) }));
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ size, index, other, at, bit }) => {
        const proof = await proveInclusion(index, size, read);
        const leaf = all[index] as Buffer;
        const root = roots[size] as Buffer;
        expect(verifyInclusion(leaf, index, size, proof, root)).toBe(true);
        expect(proof.length).toBeLessThanOrEqual(9);
        if (other !== index) expect(verifyInclusion(leaf, other, size, proof, root)).toBe(false);
        expect(verifyInclusion(all[(index + 1) % 320] as Buffer, index, size, proof, root)).toBe(false);
        expect(verifyInclusion(leaf, index, size, [...proof, leaf], root)).toBe(false);
        if (proof.length === 0) return;
        expect(verifyInclusion(leaf, index, size, proof.slice(1), root)).toBe(false);
        expect(verifyInclusion(leaf, index, size, proof.slice(0, -1), root)).toBe(false);
        const flipped = proof.map((each) => Buffer.from(each));
        const hash = flipped[at % proof.length] as Buffer;
        hash[bit >> 3] = (hash[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verifyInclusion(leaf, index, size, flipped, root)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('proves the consistency of every two trees, and nothing else with that proof', async () => {
    const arbitrary = fc.integer({ min: 1, max: 319 }).chain((second) => fc.record({ second: fc.constant(second), first: fc.nat(second), at: fc.nat(), bit: fc.nat(255) }));
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ first, second, at, bit }) => {
        const proof = await proveConsistency(first, second, read);
        const [from, to] = [roots[first] as Buffer, roots[second] as Buffer];
        expect(verifyConsistency(first, second, proof, from, to)).toBe(true);
        if (first === second) return;
        expect(verifyConsistency(first, second, proof, to, from)).toBe(false);
        expect(verifyConsistency(first, second, [...proof, from], from, to)).toBe(false);
        expect(verifyConsistency(second, first, proof, from, to)).toBe(false);
        if (proof.length === 0) return;
        expect(verifyConsistency(first, second, proof.slice(1), from, to)).toBe(false);
        const flipped = proof.map((each) => Buffer.from(each));
        const hash = flipped[at % proof.length] as Buffer;
        hash[bit >> 3] = (hash[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verifyConsistency(first, second, flipped, from, to)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses sizes, indexes and hashes that cannot be', () => {
    const leaf = all[0] as Buffer;
    expect(verifyInclusion(leaf, 0, 1, [], leaf)).toBe(true);
    for (const [index, size] of [[-1, 1], [1, 1], [0.5, 1], [0, Number.NaN], [0, 2 ** 60], [0, 0]] as const) {
      expect(verifyInclusion(leaf, index, size, [], leaf)).toBe(false);
    }
    expect(verifyInclusion(leaf.subarray(1), 0, 1, [], leaf)).toBe(false);
    expect(verifyConsistency(0, 5, [leaf], emptyRoot, leaf)).toBe(false);
    expect(verifyConsistency(2.5, 5, [], leaf, leaf)).toBe(false);
  });

  it('never needs more ranges than the tree has levels, up to 2^50 leaves', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        const [small, large] = [Math.min(a, b) % 2 ** 50, (Math.max(a, b) % 2 ** 50) + 1];
        const first = Math.min(small, large - 1);
        expect(inclusionRanges(first, large).length).toBeLessThanOrEqual(51);
        if (first > 0) expect(consistencyRanges(first, large).length).toBeLessThanOrEqual(52);
      }),
    );
  });
});
