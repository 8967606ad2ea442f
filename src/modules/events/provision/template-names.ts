/** Gives names that a template's language takes: the same for the same key, different for different keys. */
export function createNames(shape: (key: string) => string): (key: string) => string {
  const given = new Map<string, string>();
  const taken = new Set<string>();
  return (key) => {
    const known = given.get(key);
    if (known !== undefined) return known;
    const wanted = shape(key);
    let name = wanted;
    for (let count = 2; taken.has(name); count += 1) name = `${wanted}${count}`;
    taken.add(name);
    given.set(key, name);
    return name;
  };
}
