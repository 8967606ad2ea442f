import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import type { Bucket, S3State } from './state.ts';

/** One call of S3's, after its signature was checked. */
export interface S3Call {
  readonly state: S3State;
  readonly context: SimulatorContext;
  readonly request: FastifyRequest;
  readonly bucket: Bucket;
  /** Empty for a call on the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

/** What a call is answered with; a body as text is XML. */
export interface S3Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** One of S3's operations: the method, whether it is on the bucket or an object, the parameter that names it, and what it does. The first that fits is taken. */
export interface S3Operation {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly on: 'bucket' | 'object';
  /** `versions`: the call has it in its query. Any call where absent. */
  readonly parameter?: string;
  readonly handle: (call: S3Call) => S3Answer;
}
