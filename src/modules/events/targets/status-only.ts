import { networkTransport, type Transport } from '../../../connector-kit/index.ts';

/** An answer up to this size is read to its end, so that its connection can be used again. */
const drainedMost = 64 * 1024;

/**
 * Carries calls whose answers are known by their status alone. The body is thrown away, so that neither one that is too large nor one that breaks off
 * changes what the receiver said: a delivery answered 2xx was taken. By the network when no transport is given.
 */
export function statusOnly(transport: Transport = networkTransport): Transport {
  return async (url, init, network) => {
    const answer = await transport(url, init, network);
    await drain(answer.body);
    return { ...answer, body: null };
  };
}

async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body === null) return;
  let size = 0;
  try {
    for await (const part of body) {
      size += part.byteLength;
      // Leaving ends the stream, and the connection with it.
      if (size > drainedMost) return;
    }
  } catch {
    // The status has been said; how the body ended, or that the time of the call did, changes nothing of it.
  }
}
