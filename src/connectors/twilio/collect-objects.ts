import type { z } from 'zod';
import type { WorkItem } from '../../connector-kit/index.ts';
import { collectConversation } from './collect-conversation.ts';
import type { Collecting } from './erase-cursor.ts';
import { itemOf, type EraseRun } from './erase-run.ts';
import { expectOk } from './gateway.ts';
import { addOnResultsOf, bySidSchema, callsOf, conversationsOf, mediaOf, membershipSchema, messageSchema, messagesOf, recordingsOf, transcriptionsOf } from './lists.ts';
import { readAll, readPage, type Page } from './read-page.ts';
import { sourcesOf, type Source } from './sources.ts';

/** How many look-ups of parts go out together. */
const parallel = 10;
/** A recording takes two look-ups. */
const recordingsAtOnce = parallel / 2;

/**
 * Reads every list that the person can be in by the task's identifier into the worklist, parts before what they belong to, and deletes
 * nothing yet, since deleting while paging skips records. What was found is durable after each page, and inside a page after every few
 * look-ups. Answers where it stands, or undefined when all lists are read.
 */
export async function collectObjects(run: EraseRun, from: Collecting): Promise<Collecting | undefined> {
  const sources = sourcesOf(run.context.identifier);
  let state = from;
  for (let source = sources[state.source]; source !== undefined; source = sources[state.source]) {
    const page = await readSource(run, source, state);
    const stopped = page === undefined ? undefined : await collectPage(run, source, page.rows, state);
    if (stopped !== undefined) return stopped;
    const { phase, round, base, sweep } = state;
    const next = page?.next;
    state = { phase, round, base, sweep, source: next === undefined ? state.source + 1 : state.source, ...(next === undefined ? {} : { page: next }), at: 0, sub: 0 };
    // That a list held nothing is cheaper read again than kept; most lists hold nothing of most people.
    const isEmpty = next === undefined && (page === undefined || page.rows.length === 0);
    const mustYield = isEmpty ? run.context.shouldYield() : await run.keep(state);
    if (mustYield && sources[state.source] !== undefined) return state;
  }
  return undefined;
}

type Row = z.output<typeof messageSchema> | z.output<typeof bySidSchema> | z.output<typeof membershipSchema>;

async function readSource(run: EraseRun, source: Source, state: Collecting): Promise<Page<Row> | undefined> {
  const { gateway } = run;
  const options = { at: state.page, now: run.context.now() };
  switch (source.list) {
    case 'calls':
      return readPage(gateway, callsOf(source), bySidSchema, options);
    case 'messages':
      return readPage(gateway, messagesOf(source), messageSchema, options);
    case 'conversations':
      return readPage(gateway, conversationsOf(source), membershipSchema, options);
    case 'user': {
      // Read once only: reading what was deleted is refused when it comes too often (70005).
      if (state.sweep.number > 0) return undefined;
      const user = await findUser(run.gateway, source.identity, run.context.now());
      return { rows: user === undefined ? [] : [user] };
    }
  }
}

/** The chat user of an identity; undefined when there is none. */
export async function findUser(gateway: EraseRun['gateway'], identity: string, now: number): Promise<z.output<typeof bySidSchema> | undefined> {
  const answer = await gateway.ask(async (client) => bySidSchema.parse(await client.conversations.v1.users(encodeURIComponent(identity)).fetch()));
  return answer.kind === 'absent' ? undefined : expectOk(answer, now);
}

/** Answers where it stopped when the step's time was over in the middle of the page. */
async function collectPage(run: EraseRun, source: Source, rows: readonly Row[], state: Collecting): Promise<Collecting | undefined> {
  switch (source.list) {
    case 'calls':
      return collectCalls(run, rows as z.output<typeof bySidSchema>[], state);
    case 'messages':
      return collectMessages(run, rows as z.output<typeof messageSchema>[], state);
    case 'conversations': {
      let current = state;
      while (current.at < rows.length) {
        const stopped = await collectConversation(run, rows[current.at] as z.output<typeof membershipSchema>, current);
        if (stopped !== undefined) return stopped;
        current = advance(current, current.at + 1);
        if ((await run.keep(current)) && current.at < rows.length) return current;
      }
      return undefined;
    }
    case 'user':
      await run.context.worklist.add((rows as z.output<typeof bySidSchema>[]).map(({ sid }) => itemOf('user', sid, state.round)));
      return undefined;
  }
}

function advance(state: Collecting, at: number): Collecting {
  const { inner: _read, ...rest } = state;
  return { ...rest, at, sub: 0 };
}

/** Messages without media cost nothing more and go in together; those with media are looked into, a few at a time. */
async function collectMessages(run: EraseRun, rows: readonly z.output<typeof messageSchema>[], from: Collecting): Promise<Collecting | undefined> {
  const { worklist, now } = run.context;
  let state = from;
  while (state.at < rows.length) {
    const window: z.output<typeof messageSchema>[] = [];
    let lookups = 0;
    for (const row of rows.slice(state.at)) {
      const cost = hasMedia(row) ? 1 : 0;
      if (lookups + cost > parallel) break;
      lookups += cost;
      window.push(row);
    }
    const items = await Promise.all(
      window.map(async (row): Promise<WorkItem[]> => {
        const media = hasMedia(row) ? await readAll(run.gateway, mediaOf(row.sid), bySidSchema, now()) : [];
        return [
          ...media.map(({ sid }) => itemOf('media', `${row.sid}/${sid}`, state.round)),
          // One that is still to be sent would go out in the meantime, and refuses to be deleted until it has.
          ...(row.status === 'scheduled' ? [itemOf('message_cancellation', row.sid, state.round)] : []),
          itemOf('message', row.sid, state.round),
        ];
      }),
    );
    await worklist.add(items.flat());
    state = advance(state, state.at + window.length);
    if ((await run.keep(state)) && state.at < rows.length) return state;
  }
  return undefined;
}

const hasMedia = (row: z.output<typeof messageSchema>): boolean => (row.numMedia ?? '0') !== '0';

/** Calls with their recordings, and those with their transcriptions and add-on results; a few look-ups at a time, each few made durable. */
async function collectCalls(run: EraseRun, rows: readonly z.output<typeof bySidSchema>[], from: Collecting): Promise<Collecting | undefined> {
  let state = from;
  while (state.at < rows.length) {
    const window = rows.slice(state.at, state.at + parallel);
    const recordings = await Promise.all(window.map(async ({ sid }) => readAll(run.gateway, recordingsOf(sid), bySidSchema, run.context.now())));
    for (const [index, call] of window.entries()) {
      const stopped = await collectRecordings(run, recordings[index] ?? [], state);
      if (stopped !== undefined) return stopped;
      await run.context.worklist.add([itemOf('call', call.sid, state.round)]);
      state = advance(state, state.at + 1);
    }
    if ((await run.keep(state)) && state.at < rows.length) return state;
  }
  return undefined;
}

async function collectRecordings(run: EraseRun, recordings: readonly z.output<typeof bySidSchema>[], state: Collecting): Promise<Collecting | undefined> {
  const { worklist, now } = run.context;
  for (let sub = state.sub; sub < recordings.length; sub += recordingsAtOnce) {
    const items = await Promise.all(
      recordings.slice(sub, sub + recordingsAtOnce).map(async ({ sid }) => {
        const [transcriptions, results] = await Promise.all([
          readAll(run.gateway, transcriptionsOf(sid), bySidSchema, now()),
          readAll(run.gateway, addOnResultsOf(sid), bySidSchema, now()),
        ]);
        return [
          ...transcriptions.map((each) => itemOf('transcription', each.sid, state.round)),
          ...results.map((each) => itemOf('add_on_result', `${sid}/${each.sid}`, state.round)),
          itemOf('recording', sid, state.round),
        ];
      }),
    );
    await worklist.add(items.flat());
    const next = { ...state, sub: sub + recordingsAtOnce };
    if ((await run.keep(next)) && next.sub < recordings.length) return next;
  }
  return undefined;
}
