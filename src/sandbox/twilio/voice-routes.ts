import { isInFlight, noContent, playDeletion } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { rfc2822 } from './identifiers.ts';
import { betweenParties, dateFilter } from './message-routes.ts';
import { pageV2010, queryOf } from './paging.ts';
import type { Call, Recording, RecordingChild, TwilioState, World } from './twilio-state.ts';

/** How long a deleted recording's metadata stays readable with IncludeSoftDeleted, in milliseconds: 40 days, as Twilio documents. */
export const recordingMetadataKeptMs = 40 * 86_400_000;

/** Promises the Call as v2010 shows it. */
export function renderCall(state: TwilioState, call: Call, now: number): unknown {
  isInFlight(call, now);
  const account = state.settings.accountSid;
  const uri = `/2010-04-01/Accounts/${account}/Calls/${call.sid}`;
  const over = call.inFlight === undefined;
  return {
    sid: call.sid,
    account_sid: account,
    parent_call_sid: null,
    api_version: '2010-04-01',
    to: call.to,
    to_formatted: call.to,
    from: call.from,
    from_formatted: call.from,
    phone_number_sid: null,
    status: call.status,
    direction: call.direction,
    start_time: rfc2822(call.createdAt),
    end_time: over ? rfc2822(call.createdAt + 30_000) : null,
    duration: over ? '30' : null,
    price: null,
    price_unit: 'USD',
    answered_by: null,
    forwarded_from: null,
    group_sid: null,
    caller_name: null,
    queue_time: '0',
    trunk_sid: null,
    date_created: rfc2822(call.createdAt),
    date_updated: rfc2822(call.createdAt),
    uri: `${uri}.json`,
    subresource_uris: { recordings: `${uri}/Recordings.json` },
  };
}

/** Promises the Recording as v2010 shows it, deleted ones included. */
export function renderRecording(state: TwilioState, recording: Recording, now: number): unknown {
  isInFlight(recording, now);
  const account = state.settings.accountSid;
  const uri = `/2010-04-01/Accounts/${account}/Recordings/${recording.sid}`;
  const gone = recording.deletedAt !== undefined;
  return {
    sid: recording.sid,
    account_sid: account,
    api_version: '2010-04-01',
    call_sid: recording.callSid,
    conference_sid: recording.conferenceSid,
    status: gone ? 'deleted' : recording.status,
    source: recording.conferenceSid === null ? 'RecordVerb' : 'Conference',
    channels: 1,
    duration: '30',
    price: null,
    price_unit: 'USD',
    error_code: null,
    encryption_details: null,
    start_time: rfc2822(recording.createdAt),
    date_created: rfc2822(recording.createdAt),
    date_updated: rfc2822(recording.deletedAt ?? recording.createdAt),
    uri: `${uri}.json`,
    media_url: gone ? null : `https://api.twilio.com${uri}`,
    subresource_uris: { transcriptions: `${uri}/Transcriptions.json`, add_on_results: `${uri}/AddOnResults.json` },
  };
}

/** Promises the transcription as v2010 shows it. */
export function renderTranscription(state: TwilioState, item: RecordingChild): unknown {
  const account = state.settings.accountSid;
  return {
    sid: item.sid,
    account_sid: account,
    api_version: '2010-04-01',
    recording_sid: item.recordingSid,
    status: 'completed',
    type: 'fast',
    transcription_text: item.text,
    duration: '30',
    price: null,
    price_unit: 'USD',
    date_created: rfc2822(item.createdAt),
    date_updated: rfc2822(item.createdAt),
    uri: `/2010-04-01/Accounts/${account}/Transcriptions/${item.sid}.json`,
  };
}

/** Promises the add-on result as v2010 shows it. */
export function renderAddOnResult(state: TwilioState, item: RecordingChild): unknown {
  const account = state.settings.accountSid;
  return {
    sid: item.sid,
    account_sid: account,
    reference_sid: item.recordingSid,
    status: 'completed',
    add_on_sid: `XB${item.sid.slice(2)}`,
    add_on_configuration_sid: `XE${item.sid.slice(2)}`,
    date_created: rfc2822(item.createdAt),
    date_updated: rfc2822(item.createdAt),
    date_completed: rfc2822(item.createdAt),
    subresource_uris: { payloads: `/2010-04-01/Accounts/${account}/Recordings/${item.recordingSid}/AddOnResults/${item.sid}/Payloads.json` },
  };
}

interface ById {
  Params: { call?: string; conference?: string; recording?: string; sid: string };
}

/** Registers Calls: list, read, delete. Deleting a call leaves its recordings. */
export function registerCallRoutes(world: World): void {
  const { app, now, effect } = world.context;
  const base = '/2010-04-01/Accounts/:account/Calls';
  app.get(`${base}.json`, async (request) => {
    const query = queryOf(request);
    const found = betweenParties(world.state.calls.select, query);
    const wanted = dateFilter(query, 'StartTime');
    const all = found.filter((each) => (wanted === undefined || wanted(each.createdAt)) && (query['Status'] === undefined || each.status === query['Status']));
    return pageV2010(request, all, 'calls', (each) => renderCall(world.state, each, now()));
  });
  app.get<ById>(`${base}/:sid.json`, (request, reply) => {
    const call = world.state.calls.get(request.params.sid);
    return call === undefined ? sendAbsent(world, request, reply, request.params.sid) : reply.send(renderCall(world.state, call, now()));
  });
  app.delete<ById>(`${base}/:sid.json`, (request, reply) => {
    const call = world.state.calls.get(request.params.sid);
    if (call === undefined) return sendAbsent(world, request, reply, request.params.sid);
    const work = (): void => {
      world.state.calls.remove(call.sid);
      world.state.gone.add(call.sid);
      effect('call.deleted', call.sid);
    };
    return playDeletion(world, request, reply, { addresses: [call.to, call.from], target: 'other', unfinished: call, work, done: noContent });
  });
}

function addressesOf(state: TwilioState, recording: Recording | undefined): string[] {
  const call = state.calls.get(recording?.callSid ?? '');
  return call === undefined ? [] : [call.to, call.from];
}

/** Registers Recordings, by themselves and below calls and conferences: list, read, soft delete. */
export function registerRecordingRoutes(world: World): void {
  const { app, now, effect } = world.context;
  const account = '/2010-04-01/Accounts/:account';
  const shown = (recording: Recording, includeDeleted: boolean): boolean =>
    recording.deletedAt === undefined || (includeDeleted && now() < recording.deletedAt + recordingMetadataKeptMs);
  for (const base of [`${account}/Recordings`, `${account}/Calls/:call/Recordings`, `${account}/Conferences/:conference/Recordings`]) {
    const find = (params: ById['Params']): Recording | undefined => {
      const recording = world.state.recordings.get(params.sid);
      const elsewhere = (params.call ?? recording?.callSid) !== recording?.callSid || (params.conference ?? recording?.conferenceSid) !== recording?.conferenceSid;
      return elsewhere ? undefined : recording;
    };
    app.get<ById>(`${base}.json`, async (request) => {
      const query = queryOf(request);
      const call = request.params.call ?? query['CallSid'];
      const conference = request.params.conference ?? query['ConferenceSid'];
      const keys = [...(call === undefined ? [] : [`call:${call}`]), ...(conference === undefined ? [] : [`conference:${conference}`])];
      const wanted = dateFilter(query, 'DateCreated');
      const all = world.state.recordings
        .select(keys[0])
        .filter(
          (each) =>
            shown(each, query['IncludeSoftDeleted'] === 'true') &&
            (wanted === undefined || wanted(each.createdAt)) &&
            (conference === undefined || each.conferenceSid === conference),
        );
      return pageV2010(request, all, 'recordings', (each) => renderRecording(world.state, each, now()));
    });
    app.get<ById>(`${base}/:sid.json`, (request, reply) => {
      const recording = find(request.params);
      if (recording === undefined || !shown(recording, queryOf(request)['IncludeSoftDeleted'] === 'true')) {
        return sendAbsent(world, request, reply, request.params.sid);
      }
      return reply.send(renderRecording(world.state, recording, now()));
    });
    app.delete<ById>(`${base}/:sid.json`, (request, reply) => {
      const recording = find(request.params);
      if (recording === undefined || recording.deletedAt !== undefined) return sendAbsent(world, request, reply, request.params.sid);
      const work = (): void => {
        recording.deletedAt = now();
        world.state.gone.add(recording.sid);
        effect('recording.deleted', recording.sid);
      };
      const addresses = addressesOf(world.state, recording);
      return playDeletion(world, request, reply, { addresses, target: 'other', unfinished: recording, work, done: noContent });
    });
  }
}

/** Registers Transcriptions (by themselves and below a recording) and AddOnResults: list, read, delete. They outlive their recording. */
export function registerRecordingChildRoutes(world: World): void {
  const { app, effect } = world.context;
  const account = '/2010-04-01/Accounts/:account';
  const kinds = [
    { base: `${account}/Transcriptions`, key: 'transcriptions', store: 'transcriptions', render: renderTranscription, event: 'transcription.deleted' },
    { base: `${account}/Recordings/:recording/Transcriptions`, key: 'transcriptions', store: 'transcriptions', render: renderTranscription, event: 'transcription.deleted' },
    { base: `${account}/Recordings/:recording/AddOnResults`, key: 'add_on_results', store: 'addOnResults', render: renderAddOnResult, event: 'add_on_result.deleted' },
  ] as const;
  for (const { base, key, store, render, event } of kinds) {
    const find = ({ sid, recording }: ById['Params']): RecordingChild | undefined => {
      const item = world.state[store].get(sid);
      return recording === undefined || item?.recordingSid === recording ? item : undefined;
    };
    app.get<ById>(`${base}.json`, async (request) => {
      const { recording } = request.params;
      const all = world.state[store].select(recording === undefined ? undefined : `recording:${recording}`);
      return pageV2010(request, all, key, (each) => render(world.state, each));
    });
    app.get<ById>(`${base}/:sid.json`, (request, reply) => {
      const item = find(request.params);
      return item === undefined ? sendAbsent(world, request, reply, request.params.sid) : reply.send(render(world.state, item));
    });
    app.delete<ById>(`${base}/:sid.json`, (request, reply) => {
      const item = find(request.params);
      if (item === undefined) return sendAbsent(world, request, reply, request.params.sid);
      const work = (): void => {
        world.state[store].remove(item.sid);
        world.state.gone.add(item.sid);
        effect(event, item.sid);
      };
      const addresses = addressesOf(world.state, world.state.recordings.get(item.recordingSid));
      return playDeletion(world, request, reply, { addresses, target: 'other', work, done: noContent });
    });
  }
}
