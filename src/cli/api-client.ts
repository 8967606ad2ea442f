import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readSettings, type Settings } from '../platform/config/settings.ts';
import { CommandError, exitCodeOfError } from './command-error.ts';
import { exitCodes, type CliContext } from './context.ts';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

/** Quittance's API as a command calls it. Every failure is a `CommandError` in plain words. */
export interface ApiClient {
  readonly url: string;
  readonly get: (path: string) => Promise<unknown>;
  readonly getBytes: (path: string) => Promise<Buffer>;
  /** Answers undefined where there is no such resource. */
  readonly findBytes: (path: string) => Promise<Buffer | undefined>;
  readonly post: (path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<unknown>;
  /** Follows a stream of events until the server ends it. */
  readonly follow: (path: string, signal?: AbortSignal) => AsyncGenerator<ServerSentEvent>;
}

const defaultUrl = 'http://127.0.0.1:4000';
/** Verification of a long log takes minutes; anything else answers at once. */
const callTimeoutMs = 600_000;

const problemSchema = z.object({ title: z.string(), detail: z.string(), code: z.string() });

const bytes = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer());

/** Makes the client of the server that `QUITTANCE_URL` names, or else of the one on this machine. */
export function createApiClient(context: CliContext): ApiClient {
  const settings = readSettings(context.process.env);
  return connectApi(settings.url ?? defaultUrl, () => readKey(settings), context.fetch);
}

/** Makes a client of one server. The key is read when it is first needed. */
export function connectApi(url: string, keyOf: () => string, fetch: typeof globalThis.fetch): ApiClient {
  let key: string | undefined;
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    key ??= keyOf();
    const headers = { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string> | undefined) };
    try {
      return await fetch(`${url}${path}`, { redirect: 'manual', signal: AbortSignal.timeout(callTimeoutMs), ...init, headers });
    } catch (error) {
      throw unreachable(url, error);
    }
  };
  const ok = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await send(path, init);
    if (response.ok) return response;
    throw await refused(url, response);
  };
  const json = async (response: Response): Promise<unknown> => {
    try {
      return await response.json();
    } catch (error) {
      throw new CommandError(exitCodes.failed, `${url} answered with something that is not Quittance's; check QUITTANCE_URL`, { cause: error });
    }
  };
  return {
    url,
    get: async (path) => json(await ok(path, {})),
    getBytes: async (path) => bytes(await ok(path, {})),
    findBytes: async (path) => {
      const response = await send(path, {});
      if (response.status === 404) return undefined;
      if (!response.ok) throw await refused(url, response);
      return bytes(response);
    },
    post: async (path, body, headers = {}) =>
      json(await ok(path, { method: 'POST', headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })),
    follow: async function* follow(path, signal) {
      const response = await ok(path, signal === undefined ? { signal: null } : { signal });
      try {
        if (response.body !== null) yield* readServerSentEvents(response.body);
      } catch (error) {
        throw unreachable(url, error);
      }
    },
  };
}

/** Reads an answer by a schema; one that does not fit comes from another version or another program. */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CommandError(exitCodes.failed, 'The server answered in a form that this command does not know; use the command line of the same version as the server');
}

/** The API key: the one that is set, or else that of the server on this machine, which is never sent to another. */
function readKey(settings: Settings): string {
  if (settings.apiKey !== undefined) return settings.apiKey.reveal();
  const { hostname } = new URL(settings.url ?? defaultUrl);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) {
    throw new CommandError(exitCodes.misuse, 'Set QUITTANCE_API_KEY to an API key of the server that QUITTANCE_URL names (its quittance.yaml lists them under access.api_keys)');
  }
  const path = join(settings.dataDir, 'operator.key');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'EACCES' ? `${path} may only be read by the user who runs the server` : `there is no ${path}`;
    throw new CommandError(exitCodes.misuse, `No API key: QUITTANCE_API_KEY is not set, and ${reason}. Set QUITTANCE_API_KEY, or QUITTANCE_DATA_DIR to the data folder of the server on this machine`, { cause: error });
  }
}

async function refused(url: string, response: Response): Promise<CommandError> {
  const text = await response.text();
  const problem = problemSchema.safeParse(text.startsWith('{') ? parseOrNothing(text) : undefined);
  if (!problem.success) {
    return new CommandError(exitCodes.failed, `${url} answered ${response.status}, and not as Quittance does; check QUITTANCE_URL and what stands between`);
  }
  const { code, detail } = problem.data;
  const remedy = code === 'UNAUTHORIZED' ? '. Set QUITTANCE_API_KEY to one, or QUITTANCE_DATA_DIR to the data folder of the server on this machine' : '';
  return new CommandError(exitCodeOfError(code), `${detail}${remedy} (${code})`);
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const explanations: Readonly<Record<string, (url: string) => string>> = {
  ECONNREFUSED: (url) => `No server answers at ${url}; start one with "quittance serve", or set QUITTANCE_URL`,
  ENOTFOUND: (url) => `The host of ${url} is not known; check QUITTANCE_URL`,
  EAI_AGAIN: (url) => `The name of ${url} could not be looked up; check the network and try again`,
  ECONNRESET: (url) => `The connection to ${url} broke off; try again, repeating is safe`,
  UND_ERR_SOCKET: (url) => `The connection to ${url} broke off; try again, repeating is safe`,
  ETIMEDOUT: (url) => `${url} cannot be reached: no answer in time; check the network`,
  UND_ERR_CONNECT_TIMEOUT: (url) => `${url} cannot be reached: no answer in time; check the network`,
};

function unreachable(url: string, error: unknown): CommandError {
  const codes = codesOf(error);
  const explain = codes.map((code) => explanations[code]).find((each) => each !== undefined);
  if (explain !== undefined) return new CommandError(exitCodes.failed, explain(url), { cause: error });
  if (error instanceof Error && error.name === 'TimeoutError') return new CommandError(exitCodes.failed, `${url} did not answer in time; try again, repeating is safe`, { cause: error });
  return new CommandError(exitCodes.failed, `The connection to ${url} failed (${codes[0] ?? 'no reason given'}); check QUITTANCE_URL and the network`, { cause: error });
}

/** The codes of an error, of its causes and of the errors that it gathers: a host with two addresses fails twice. */
function codesOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  const { code } = error as { code?: unknown };
  const gathered = error instanceof AggregateError ? error.errors.flatMap((each: unknown) => codesOf(each)) : [];
  return [...(typeof code === 'string' ? [code] : []), ...codesOf(error.cause), ...gathered];
}
