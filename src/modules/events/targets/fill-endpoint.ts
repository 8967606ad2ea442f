/**
 * Fills each `*` of an endpoint's path and query with a parameter, percent-encoded. Undefined where one is missing or empty, or would lead elsewhere: `..` as a whole
 * segment is another path, and `DELETE /users/` is not about one user.
 */
export function fillEndpoint(endpoint: string, parameters: readonly string[]): string | undefined {
  const template = new URL(endpoint);
  const [start = '', ...rest] = `${template.pathname}${template.search}`.split('*');
  let target = start;
  for (const [index, part] of rest.entries()) {
    const value = parameters[index];
    if (value === undefined || value === '' || !value.isWellFormed()) return undefined;
    target += `${encodeURIComponent(value)}${part}`;
  }
  const filled = new URL(`${template.origin}${target}`);
  return filled.pathname === target.split('?', 1)[0] ? filled.href : undefined;
}
