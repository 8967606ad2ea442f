/** Deeper than any answer of a vendor is. What is written out or compared deeper ends in a stack that overflows. */
const levelsMax = 100;

/** True for a value of JSON with more than 100 levels of objects and lists: no vendor's answer, and not safe to go through. */
export function isNestedTooDeep(value: unknown, levels = levelsMax): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const each of Object.values(value)) if (isNestedTooDeep(each, levels - 1)) return true;
  return false;
}
