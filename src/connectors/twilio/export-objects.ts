import { z } from 'zod';
import { Failure, type ExportContext, type ExportedRecord, type ExportPage, type Json } from '../../connector-kit/index.ts';
import { isOwn } from './addresses.ts';
import type { TwilioConfig } from './config.ts';
import { seePeople } from './conversation-people.ts';
import { createTwilioGateway, expectOk, type TwilioGateway } from './gateway.ts';
import { addOnResultsOf, callsOf, conversationMessageSchema, conversationMessagesOf, conversationsOf, mediaOf, membershipSchema, messagesOf, recordingsOf, transcriptionsOf } from './lists.ts';
import { readAll, readPage, sidSchema, type Page, type PagedList } from './read-page.ts';
import { sourcesOf, type Source } from './sources.ts';

/** Larger recordings are named and not copied: a page of an export is held in memory. */
const contentBytesMax = 5 * 1024 * 1024;
/** What Twilio's MP3 takes for a second: 32 kbit. */
const bytesPerSecond = 4000;

/** Everything that the SDK read of an object, without its own machinery. */
const whole = <Shape extends z.ZodRawShape>(shape: Shape) => z.preprocess((each) => JSON.parse(JSON.stringify(each)) as unknown, z.looseObject(shape));
const objectSchema = whole({ sid: sidSchema });
const messageSchema = whole({ sid: sidSchema, numMedia: z.string().nullish() });
const recordingSchema = whole({ sid: sidSchema, duration: z.string().nullish() });
const conversationSchema = whole(membershipSchema.shape);
const chatMessageSchema = whole(conversationMessageSchema.shape);

const cursorSchema = z.strictObject({
  source: z.int().nonnegative(),
  page: z.string().optional(),
  /** The last object of the page that was given with all its parts. */
  after: z.string().optional(),
  /** Where the messages of a conversation of that page go on. */
  inner: z.strictObject({ of: z.string(), page: z.string() }).optional(),
});
type Cursor = z.output<typeof cursorSchema>;

interface Exporting {
  readonly context: ExportContext;
  readonly config: TwilioConfig;
  readonly gateway: TwilioGateway;
}

/**
 * Gives what Twilio holds under a number or an address: messages, calls with their recordings and transcriptions, conversations and the chat user, each with
 * a place to go on from. Of a conversation with others only what the person wrote. A recording comes with its sound; sound over 5 MiB, the sound that is
 * stored elsewhere, and the media of messages, which Twilio serves from another host, are named as `object_not_included`.
 */
export async function* exportObjects(context: ExportContext, config: TwilioConfig): AsyncGenerator<ExportPage> {
  if (isOwn(config, context.identifier)) throw new Failure('SUBJECT_AMBIGUOUS', 'The identifier is one of the account’s own numbers or identities, so it names no subject');
  const kept = context.cursor === null ? undefined : cursorSchema.safeParse(context.cursor);
  if (kept?.success === false) throw new Failure('INTERNAL', 'The kept place of an export is not one of an export of Twilio’s objects');
  const run: Exporting = { context, config, gateway: createTwilioGateway(config, context) };
  const sources = sourcesOf(context.identifier);
  let at: Cursor = kept?.data ?? { source: 0 };
  for (let source = sources[at.source]; source !== undefined; source = sources[at.source]) {
    const page = yield* exportPage(run, source, at);
    at = page === undefined ? { source: at.source + 1 } : { source: at.source, page };
    yield { records: [], resume: toJson(at) };
  }
}

/** Gives one page of a source with all that belongs to it, and answers where the next begins. */
async function* exportPage(run: Exporting, source: Source, at: Cursor): AsyncGenerator<ExportPage, string | undefined> {
  const here: Cursor = { source: at.source, ...(at.page === undefined ? {} : { page: at.page }) };
  switch (source.list) {
    case 'messages': {
      const page = await read(run, messagesOf(source), messageSchema, at.page);
      for (const part of batches(page.rows, 100)) yield { records: part.map((data) => ({ type: 'message', data })) };
      for (const row of page.rows.filter(({ numMedia }) => (numMedia ?? '0') !== '0')) {
        const media = await readAll(run.gateway, mediaOf(row.sid), objectSchema, run.context.now());
        yield { records: media.map((each) => notIncluded({ ...each, object: 'message_media' }, 'elsewhere')) };
      }
      return page.next;
    }
    case 'calls': {
      const page = await read(run, callsOf(source), objectSchema, at.page);
      for (const call of remaining(page.rows, at.after, ({ sid }) => sid)) {
        yield { records: [{ type: 'call', data: call }] };
        yield* exportRecordings(run, call.sid);
        yield { records: [], resume: toJson({ ...here, after: call.sid }) };
      }
      return page.next;
    }
    case 'conversations': {
      const page = await read(run, conversationsOf(source), conversationSchema, at.page);
      let done = at;
      for (const row of remaining(page.rows, at.after, keyOf)) {
        yield* exportConversation(run, row, done);
        done = { ...here, after: keyOf(row) };
        yield { records: [], resume: toJson(done) };
      }
      return page.next;
    }
    case 'user': {
      const answer = await run.gateway.ask(async (client) => objectSchema.parse(await client.conversations.v1.users(encodeURIComponent(source.identity)).fetch()));
      if (answer.kind !== 'absent') yield { records: [{ type: 'chat_user', data: expectOk(answer, run.context.now()) }] };
      return undefined;
    }
  }
}

const keyOf = ({ conversationSid, participantSid }: z.output<typeof membershipSchema>): string => `${conversationSid}/${participantSid}`;

async function read<Schema extends z.ZodType>({ gateway, context }: Exporting, list: PagedList, schema: Schema, at: string | undefined): Promise<Page<z.output<Schema>>> {
  return (await readPage(gateway, list, schema, { at, now: context.now() })) ?? { rows: [] };
}

/** What comes after the last that was given; all of it where that one is gone, since the page may have moved. */
function remaining<Row>(rows: readonly Row[], last: string | undefined, key: (row: Row) => string): readonly Row[] {
  return rows.slice(rows.findIndex((row) => key(row) === last) + 1);
}

function* batches<Row>(rows: readonly Row[], size: number): Generator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

const notIncluded = (data: object, why: 'too_large' | 'elsewhere'): ExportedRecord => ({ type: 'object_not_included', data: { ...data, not_included: why } });

async function* exportRecordings(run: Exporting, call: string): AsyncGenerator<ExportPage> {
  const { gateway, context } = run;
  for (const recording of await readAll(gateway, recordingsOf(call), recordingSchema, context.now())) {
    yield { records: [await withSound(run, recording)] };
    const transcriptions = await readAll(gateway, transcriptionsOf(recording.sid), objectSchema, context.now());
    const results = await readAll(gateway, addOnResultsOf(recording.sid), objectSchema, context.now());
    yield { records: [...transcriptions.map((data) => ({ type: 'transcription', data })), ...results.map((data) => ({ type: 'add_on_result', data }))] };
  }
}

async function withSound({ gateway, context, config }: Exporting, recording: z.output<typeof recordingSchema>): Promise<ExportedRecord> {
  const about = { ...recording, object: 'recording' };
  if (Number(recording.duration ?? 0) * bytesPerSecond > contentBytesMax) return notIncluded(about, 'too_large');
  const answer = await gateway.download(`${config.hosts.api}/2010-04-01/Accounts/${config.account_sid}/Recordings/${recording.sid}.mp3`);
  // One without sound, such as a recording that is not over, is what its own record says.
  if (answer.kind === 'absent') return { type: 'recording', data: recording };
  const file = expectOk(answer, context.now());
  if (file === 'elsewhere') return notIncluded(about, 'elsewhere');
  if (file.bytes.length > contentBytesMax) return notIncluded(about, 'too_large');
  return { type: 'recording', data: { ...recording, filename: `${recording.sid}.mp3`, content_type: file.contentType, base64: file.bytes.toString('base64') } };
}

async function* exportConversation(run: Exporting, row: z.output<typeof conversationSchema>, at: Cursor): AsyncGenerator<ExportPage> {
  const people = await seePeople(run.context, run.config, run.gateway, row);
  let page = at.inner?.of === keyOf(row) ? at.inner.page : undefined;
  if (page === undefined) yield { records: [{ type: 'conversation', data: row }] };
  do {
    const { rows, next } = await read(run, conversationMessagesOf(row.conversationSid), chatMessageSchema, page);
    const given = people.isShared ? rows.filter(people.wrote) : rows;
    for (const part of batches(given, 20)) yield { records: part.map((data) => ({ type: 'conversation_message', data })) };
    page = next;
    if (page !== undefined) yield { records: [], resume: toJson({ ...at, inner: { of: keyOf(row), page } }) };
  } while (page !== undefined);
}

const toJson = (cursor: Cursor): Json => JSON.parse(JSON.stringify(cursor)) as Json;
