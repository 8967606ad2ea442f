import type { RequestId } from '../../contract/ids.ts';
import type { Right } from '../../contract/outcomes.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { findAppeal } from './clock-store.ts';
import type { LawClocks } from './law-clocks.ts';
import { findRequest, type RequestCore } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What notices to the person say of a request, beside what became of it. */
export interface RequestNoticeFacts {
  /** The language that the request named, if it did. */
  readonly languageOf: (id: RequestId) => Promise<string | undefined>;
  /** Dates are ISO 8601; `reasonCode` is the refusal's, the extension's, or a denied appeal's. */
  readonly describeRequest: (id: RequestId, about: 'request' | 'extension' | 'refusal' | 'appeal') => Promise<DescribedRequest>;
}

/** A request as notices tell of it: codes and dates, nothing of the person. */
export interface DescribedRequest {
  readonly reference: string;
  readonly right: Right;
  readonly law: string;
  readonly receivedAt: string;
  readonly dueAt: string;
  /** In which the law counts its days. */
  readonly timeZone: string;
  readonly reasonCode: string | undefined;
  readonly decision: 'granted' | 'denied' | undefined;
  /** Whether the law gives an appeal to the controller. */
  readonly mayAppeal: boolean;
}

/** Makes the reader of those facts. `describeRequest` fails with `CONFLICT` when what is to be told of is not there. */
export function createRequestNoticeFacts(database: Database, clocks: Pick<LawClocks, 'pack'>): RequestNoticeFacts {
  const find = async (id: RequestId): Promise<RequestCore> => {
    const request = await findRequest(database.read<RequestTables>(), id);
    if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
    return request;
  };
  return {
    languageOf: async (id) => (await find(id)).language ?? undefined,
    describeRequest: async (id, about) => {
      const request = await find(id);
      const appeal = about === 'appeal' ? await findAppeal(database.read<RequestTables>(), id) : undefined;
      const reasons = { request: null, extension: request.extension_reason, refusal: request.reason_code, appeal: appeal?.reason_code ?? null };
      if ((about === 'extension' || about === 'refusal') && reasons[about] === null) throw new Failure('CONFLICT', `There is no ${about} of this request`);
      const decision = appeal?.decision ?? undefined;
      if (about === 'appeal' && decision === undefined) throw new Failure('CONFLICT', 'There is no decided appeal of this request');
      const pack = clocks.pack(request.law);
      return {
        reference: request.reference,
        right: request.request_right,
        law: pack.title,
        receivedAt: request.received_at.toISOString(),
        dueAt: request.due_at.toISOString(),
        timeZone: pack.calendar.time_zone,
        reasonCode: reasons[about] ?? undefined,
        decision,
        mayAppeal: pack.appeal !== undefined,
      };
    },
  };
}
