import { parseId } from '../contract/ids.ts';
import { CommandError } from './command-error.ts';
import { exitCodes } from './context.ts';

/** Reads a request's id from the command line, before anything is asked of the server. */
export function parseRequestId(text: string): string {
  if (parseId('request', text) === undefined) throw new CommandError(exitCodes.misuse, 'A request’s id is req_ and 26 letters and digits, as "quittance request list" shows it');
  return text;
}

/** The one argument of commands about a request. */
export const requestIdParameter = { kind: 'tuple', parameters: [{ brief: 'The request’s id (req_…)', parse: parseRequestId, placeholder: 'id' }] } as const;

/** The API's path of a request. */
export const requestPath = (id: string): string => `/v1/privacy-requests/${id}`;
