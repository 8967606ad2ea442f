import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Failure, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import { endpointOf, type S3Config } from './config.ts';

/** An answer of S3 other than success. */
export class S3Refusal extends Error {
  readonly status: number;
  /** S3's code, `NoSuchKey`; undefined where the body had none. */
  readonly code: string | undefined;
  readonly retryAfter: string | null;

  constructor(status: number, code: string | undefined, retryAfter: string | null) {
    super(`S3 answered ${status}`);
    this.name = 'S3Refusal';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** What the SDK hands to what carries its calls. */
interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
type SdkResponse = { readonly statusCode: number; readonly headers: Record<string, string>; readonly body: Readable };

/** Codes that S3 gives with a 503 or 400 and that mean its rate limit. */
const slowCodes: readonly string[] = ['SlowDown', 'TooManyRequests', 'RequestLimitExceeded'];

/** The failure of a refusal that the caller has no use for. S3's codes are of a fixed list and name nobody. */
export function failureOf({ status, code, retryAfter }: S3Refusal, now: number): Failure {
  return vendorFailure(code !== undefined && slowCodes.includes(code) ? 429 : status, { retryAfter, ...(code === undefined ? {} : { vendorCode: code }), now });
}

const escape = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/gu, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function addressOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => (value === null ? [escape(name)] : [value].flat().map((each) => `${escape(name)}=${escape(each)}`)));
  const url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
  // An address is normalised on its way: `users/1/../2` would be another object.
  if (new URL(url).pathname !== path) throw new Failure('UNSUPPORTED', 'An object has a name that cannot be written as the path of an address');
  return url;
}

/** Carries the SDK's calls over the guarded fetch. A refusal is thrown here, before the SDK could put its text into an error. */
function handlerOf(context: ConnectorContext): { readonly handle: (request: SdkRequest) => Promise<{ response: SdkResponse }>; readonly metadata: { handlerProtocol: string } } {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request) => {
      const { host: _host, 'content-length': _length, ...headers } = request.headers;
      const isRead = request.method === 'GET' && request.query?.['x-id'] === 'GetObject';
      const answer = await context.fetch(addressOf(request), { method: request.method, headers, ...(request.body === undefined ? {} : { body: request.body as string | Uint8Array<ArrayBuffer> }) });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const start = isRead && answer.ok ? '' : bytes.toString('utf8').trimStart();
      // S3 also answers 200 and an error in the body, where the work took long.
      const isError = /^(?:<\?xml[^>]*\?>\s*)?<Error[\s>]/u.test(start);
      if (!answer.ok || isError) throw new S3Refusal(answer.ok ? 500 : answer.status, /<Code>(\w{1,60})<\/Code>/u.exec(start)?.[1], answer.headers.get('retry-after'));
      if (start !== '' && !start.startsWith('<')) throw new Failure('VENDOR_MALFORMED', 'S3 answered with something that is not its XML');
      return { response: { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body: Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }) } };
    },
  };
}

/** Calls to S3 through the official SDK, over the guarded fetch. */
export interface S3Gateway {
  /** The SDK, which is loaded where it is first needed: it takes some tens of megabytes. */
  readonly sdk: typeof import('@aws-sdk/client-s3');
  /** Makes one call. A refusal is an `S3Refusal`; everything else that is thrown is a failure. */
  readonly send: S3Client['send'];
  /** As `send`, and every refusal is thrown as its failure. */
  readonly must: S3Client['send'];
}

/** Makes the gateway for one step. Credentials, region and endpoint are the configuration's, whatever the machine's environment or its files say. */
export async function createS3Gateway(config: S3Config, context: ConnectorContext): Promise<S3Gateway> {
  const sdk = await import('@aws-sdk/client-s3');
  const { id, secret, session_token: sessionToken } = config.access_key;
  const client = new sdk.S3Client({
    region: config.region,
    endpoint: endpointOf(config),
    forcePathStyle: config.path_style,
    credentials: { accessKeyId: id, secretAccessKey: secret, ...(sessionToken === undefined ? {} : { sessionToken }) },
    maxAttempts: 1,
    retryMode: 'standard',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    requestHandler: handlerOf(context),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const carry = async (command: Parameters<S3Client['send']>[0], isLast: boolean): Promise<unknown> => {
    try {
      return await client.send(command);
    } catch (error) {
      if (error instanceof S3Refusal) throw isLast ? failureOf(error, context.now()) : error;
      if (error instanceof Failure) throw error;
      if (context.signal.aborted) throw error;
      // The SDK stumbled over the answer. Its error may quote it, so it goes no further.
      throw new Failure('VENDOR_MALFORMED', 'S3 answered with something of another shape');
    }
  };
  return {
    sdk,
    send: (async (command: Parameters<S3Client['send']>[0]) => carry(command, false)) as S3Client['send'],
    must: (async (command: Parameters<S3Client['send']>[0]) => carry(command, true)) as S3Client['send'],
  };
}
