import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** What of a request to a broker a test may decide by. */
export interface BrokerRequest {
  /** Kafka's number of it: 0 Produce, 3 Metadata, 18 ApiVersions, 22 InitProducerId. */
  readonly api: number;
  readonly bytes: Buffer;
}

/** `pass`: to the broker. A number: Kafka's error code, and the broker hears nothing. `lose`: the broker does it, and the connection ends instead of its answer. */
export type BrokerFault = 'pass' | 'lose' | number;

/** Stands before the one broker of a cluster. */
export interface BrokerProxy {
  readonly address: string;
  readonly decide: (fault: (request: BrokerRequest) => BrokerFault) => void;
  readonly close: () => Promise<void>;
}

/** Gives each whole frame (4 bytes of length, and so many more) of a connection. */
function onFrame(socket: Socket, take: (frame: Buffer) => void): void {
  let held = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
      const end = 4 + held.readInt32BE(0);
      take(held.subarray(0, end));
      held = held.subarray(end);
    }
  });
}

const int = (size: 2 | 4, value: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeIntBE(value, 0, size);
  return bytes;
};
const framed = (correlation: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat([int(4, correlation), ...parts]);
  return Buffer.concat([int(4, body.length), body]);
};

/** The answer with an error, for the two requests and the versions that the mock cluster of librdkafka 2.0.2 offers: Produce 7 and InitProducerId 4. */
function refusal(frame: Buffer, code: number): Buffer {
  const [api, version, correlation] = [frame.readInt16BE(4), frame.readInt16BE(6), frame.readInt32BE(8)];
  const none = Buffer.alloc(8, 0xff);
  if (api === 22 && version === 4) return framed(correlation, Buffer.from([0]), int(4, 0), int(2, code), none, int(2, -1), Buffer.from([0]));
  if (api !== 0 || version !== 7) throw new Error(`There is no refusal of request ${api} version ${version} here.`);
  // Length, api, version, correlation; client's name; transaction (none), acks, time-out, number of topics.
  const topicAt = 14 + frame.readInt16BE(12) + 2 + 2 + 4 + 4;
  const topic = frame.subarray(topicAt, topicAt + 2 + frame.readInt16BE(topicAt));
  const partition = frame.readInt32BE(topicAt + topic.length + 4);
  return framed(correlation, int(4, 1), topic, int(4, 1), int(4, partition), int(2, code), none, none, none, int(4, 0));
}

/** Starts a proxy of a broker on a free loopback port; what the broker says of its own address is changed so that clients stay with the proxy. */
export async function startBrokerProxy(broker: string): Promise<BrokerProxy> {
  const [host = '', portText = ''] = broker.split(':');
  const real = Buffer.concat([Buffer.from(host), int(4, Number(portText))]);
  let decide: (request: BrokerRequest) => BrokerFault = () => 'pass';
  const sockets = new Set<Socket>();
  let own = Buffer.alloc(0);
  const server = createServer((front) => {
    const back = createConnection(Number(portText), host);
    for (const [one, other] of [[front, back], [back, front]] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    let isLosing = false;
    onFrame(front, (frame) => {
      const fault = decide({ api: frame.readInt16BE(4), bytes: frame });
      if (typeof fault === 'number') front.write(refusal(frame, fault));
      else {
        isLosing ||= fault === 'lose';
        back.write(frame);
      }
    });
    onFrame(back, (frame) => {
      if (isLosing) {
        front.destroy();
        return;
      }
      const at = frame.indexOf(real);
      front.write(at === -1 ? frame : Buffer.concat([frame.subarray(0, at), own, frame.subarray(at + real.length)]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  own = Buffer.concat([Buffer.from(host), int(4, port)]);
  return {
    address: `127.0.0.1:${port}`,
    decide: (next) => {
      decide = next;
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
