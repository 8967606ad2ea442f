import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';

/** A request as it came over the wire. */
export interface Received {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * What a request is answered with. `hang`: nothing, for ever. `drop`: the connection ends before the answer. `cut`: it ends in the middle of the body.
 */
export type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } | 'hang' | 'drop' | 'cut';

/** An HTTP server that does what a test tells it. */
export interface ScriptedServer {
  readonly url: string;
  readonly received: Received[];
  /** Says how requests are answered from now on. */
  readonly answerWith: (answer: (request: Received) => Answer) => void;
  /** How many connections are open now. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
}

function play(answer: Answer, response: ServerResponse): void {
  if (answer === 'hang') return;
  if (answer === 'drop') response.socket?.destroy();
  else if (answer === 'cut') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"half": ', () => response.socket?.destroy());
  } else response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? '');
}

/** Starts a server on a free loopback port that answers 200 until it is told otherwise. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let script: (request: Received) => Answer = () => ({ status: 200 });
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const seen: Received = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts).toString('utf8') };
      received.push(seen);
      play(script(seen), response);
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answerWith: (answer) => {
      script = answer;
    },
    connections: () => sockets.size,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A server that takes connections and says nothing, or ends each at its first word. */
export interface RudeServer {
  readonly port: number;
  /** How many connections are open now. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
}

/** Starts a server on a free loopback port that is of no use to any protocol. */
export async function startRudeServer(manner: 'hang' | 'drop'): Promise<RudeServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', () => (manner === 'drop' ? void socket.destroy() : undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
