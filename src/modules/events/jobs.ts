import type { JobKind } from '../../platform/jobs/jobs.ts';

/** Sends what waits for one destination. One slow destination takes one of these. */
export const eventsDispatch: JobKind = { name: 'events-dispatch', concurrency: 16, expireSeconds: 120 };
/** Sends events of a time once more. */
export const eventsReplay: JobKind = { name: 'events-replay', concurrency: 1, expireSeconds: 3600 };
/** Looks for what waits and nobody sends. To be scheduled each minute. */
export const eventsSweep: JobKind = { name: 'events-sweep', concurrency: 1 };
/** Deletes events that are older than they are kept. To be scheduled each day. */
export const eventsPrune: JobKind = { name: 'events-prune', concurrency: 1, expireSeconds: 3600 };
