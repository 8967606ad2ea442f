import type { FastifySchemaCompiler } from 'fastify';

/** The validator of routes that read the raw bytes themselves: their schemas are for the API's description. */
export const describedOnly: FastifySchemaCompiler<unknown> = () => (value: unknown) => ({ value });
