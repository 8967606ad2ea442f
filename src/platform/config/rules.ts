import { z } from 'zod';

/** The names of things in the configuration. */
export const nameRule = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/u, 'must be lower-case letters, digits and dashes, starting with a letter, at most 40');

/** A secret by reference: `${env:NAME}` or `${file:/path}`. A value written out is refused. */
export const secretReference = z
  .string()
  .regex(/^\$\{(env:[A-Z][A-Z0-9_]*|file:[^}]+)\}$/u, 'must be a reference, ${env:NAME} or ${file:/path}; secrets are not written into the configuration');

/** A secret by reference, or an address written out. */
export const secretReferenceOrUrl = z.union([secretReference, z.url({ protocol: /^https?$/u })]);

/** ISO 3166: a country, or a part of one that has a law of its own. */
export const jurisdiction = z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u, 'must be an ISO 3166 code such as DE or US-CA');

/** Where a service is reached: scheme, host and port. */
export const origin = z.url({ protocol: /^https?$/u }).refine((value) => new URL(value).pathname === '/' && !/[?#@]/u.test(value), 'must be an origin: no path, query, fragment or credentials');
