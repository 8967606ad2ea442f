import type { FileReader } from '../verify/index.ts';
import type { ApiClient } from './api-client.ts';

/** Reads a running server's published log like an exported folder. What it answers is as hostile as any file until it is verified. */
export function createLogReader(api: ApiClient): FileReader {
  return async (path) => {
    // The history of signed heads is kept by who exports, not published.
    if (path === 'checkpoints.jsonl') return undefined;
    return api.findBytes(`/v1/audit/${path}`);
  };
}
