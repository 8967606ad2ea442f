import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

/** A change that a simulator really made to what it stores; the ground truth that tests compare Quittance's claims with. */
export interface Effect {
  /** Milliseconds since the epoch by the simulator's clock. */
  readonly at: number;
  /** What was done, in the vendor's words: `customer.deleted`, `message.deleted`, `regulation.created`. */
  readonly type: string;
  /** The vendor's id of the object that changed. */
  readonly object: string;
}

/** One request that a simulator received, without its body or query, for tests of egress and call counts. */
export interface Call {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** 0 when the simulator never answered. */
  readonly status: number;
}

/**
 * A misbehaviour to play on the next matching requests.
 * `status` answers before doing the work; `lost` does the work and then drops the connection; `after` does the work and then answers
 * `status` all the same (500 after doing it); `hang` never answers; `delay` answers late; `lie` is given to the vendor's own handler, which
 * says done and changes nothing; `malformed` answers 200 with a body that is not what its content type says.
 */
export interface Fault {
  readonly kind: 'status' | 'lost' | 'after' | 'hang' | 'delay' | 'lie' | 'malformed';
  /** HTTP method to match; all when absent. */
  readonly method?: string;
  /** Regular expression source matched against the path with its query; all when absent. */
  readonly path?: string;
  /** How many requests it plays on; 1 when absent. */
  readonly times?: number;
  /** For `status` and `after`. */
  readonly status?: number;
  /** Seconds for a `Retry-After` header, for `status`. */
  readonly retryAfter?: number;
  /** For `delay`, in milliseconds. */
  readonly delayMs?: number;
}

/** What a vendor's simulator is given to keep its effects, faults and time by. */
export interface SimulatorContext {
  readonly app: FastifyInstance;
  /** Milliseconds since the epoch; the test can move it through `POST /_sandbox/clock`. */
  readonly now: () => number;
  /** Notes a change that was really made. */
  readonly effect: (type: string, object: string) => void;
  /** True once for each `lie` fault that matches this request: say done, change nothing. */
  readonly lies: (request: FastifyRequest) => boolean;
}

/** What each vendor folder gives: its routes and what can be planted and read from outside. */
export interface VendorDefinition {
  readonly vendor: string;
  /** Registers the vendor's routes. */
  readonly routes: (context: SimulatorContext) => void;
  /** Plants data; answers what was made (ids included), as the vendor's own shapes. */
  readonly seed: (data: unknown) => unknown;
  /** Everything stored, for comparing with what was claimed. */
  readonly dump: () => unknown;
  /** The vendor's body for an error status, in the vendor's own shape. */
  readonly errorBody: (status: number) => unknown;
  /** Forgets everything. */
  readonly reset: () => void;
}

/** A vendor simulator: its routes, what it holds, and what it is told to do wrong. */
export interface SimulatorCore {
  readonly vendor: string;
  /** Its HTTP server, which listens only when started. */
  readonly app: FastifyInstance;
  readonly effects: readonly Effect[];
  readonly calls: readonly Call[];
  readonly seed: (data: unknown) => unknown;
  readonly dump: () => unknown;
  readonly fault: (fault: Fault) => void;
  readonly clearFaults: () => void;
  /** Moves the simulator's clock forward. */
  readonly advance: (ms: number) => void;
  readonly reset: () => void;
}

/** A vendor simulator listening on a loopback port. */
export interface Simulator extends SimulatorCore {
  readonly url: string;
  readonly port: number;
  readonly close: () => Promise<void>;
}

interface ActiveFault {
  readonly fault: Fault;
  readonly path: RegExp | undefined;
  left: number;
}

/** A key that carries the fault playing on a request from the first hook to the last. */
const playing = Symbol('fault');
type Marked = FastifyRequest & { [playing]?: Fault };

/**
 * Makes a vendor simulator that listens nowhere yet; `time` is its clock, moved by `advance`.
 * Besides the vendor's routes it serves `/_sandbox/{seed,dump,effects,calls,faults,clock,reset}` for tests in other processes.
 */
export function createSimulator(definition: VendorDefinition, time: () => number = Date.now): SimulatorCore {
  const app = Fastify({ logger: false, forceCloseConnections: true, bodyLimit: 8 * 1024 * 1024, routerOptions: { maxParamLength: 1024 } });
  const effects: Effect[] = [];
  const calls: Call[] = [];
  const faults: ActiveFault[] = [];
  let skewMs = 0;
  const now = (): number => time() + skewMs;

  const take = (request: FastifyRequest, kinds: (kind: Fault['kind']) => boolean): Fault | undefined => {
    const match = faults.find(
      (each) =>
        each.left > 0 &&
        kinds(each.fault.kind) &&
        (each.fault.method === undefined || each.fault.method === request.method) &&
        (each.path === undefined || each.path.test(request.url)),
    );
    if (match === undefined) return undefined;
    match.left -= 1;
    return match.fault;
  };

  const fault = (next: Fault): void => {
    faults.push({ fault: next, path: next.path === undefined ? undefined : new RegExp(next.path, 'u'), left: next.times ?? 1 });
  };
  const clearFaults = (): void => {
    faults.length = 0;
  };
  const reset = (): void => {
    effects.length = 0;
    calls.length = 0;
    clearFaults();
    definition.reset();
  };
  const note = (request: FastifyRequest, status: number): void => {
    calls.push({ at: now(), method: request.method, path: request.url.split('?', 1)[0] ?? '', status });
  };
  const isControl = (request: FastifyRequest): boolean => request.url.startsWith('/_sandbox/');

  app.addHook('onRequest', async (request: Marked, reply: FastifyReply) => {
    if (isControl(request)) return;
    const active = take(request, (kind) => kind !== 'lie');
    if (active === undefined) return;
    request[playing] = active;
    if (active.kind === 'hang') {
      note(request, 0);
      reply.hijack();
    } else if (active.kind === 'status') {
      if (active.retryAfter !== undefined) void reply.header('retry-after', String(active.retryAfter));
      return reply.code(active.status ?? 500).send(definition.errorBody(active.status ?? 500));
    } else if (active.kind === 'delay') {
      await new Promise((resolve) => setTimeout(resolve, active.delayMs ?? 0));
    }
    return undefined;
  });
  app.addHook('onSend', async (request: Marked, reply, payload) => {
    const active = request[playing];
    if (active?.kind === 'lost') {
      note(request, 0);
      reply.hijack();
      request.raw.socket.destroy();
      return undefined;
    }
    if (active?.kind === 'after') {
      void reply.code(active.status ?? 500);
      return JSON.stringify(definition.errorBody(active.status ?? 500));
    }
    if (active?.kind === 'malformed') {
      void reply.code(200).header('content-type', 'application/json');
      return '{"truncated": [';
    }
    return payload;
  });
  app.addHook('onResponse', async (request, reply) => {
    if (!isControl(request)) note(request, reply.statusCode);
  });

  app.post('/_sandbox/seed', async (request) => definition.seed(request.body));
  app.get('/_sandbox/dump', async () => definition.dump());
  app.get('/_sandbox/effects', async () => effects);
  app.get('/_sandbox/calls', async () => calls);
  app.post('/_sandbox/faults', async (request, reply) => {
    fault(request.body as Fault);
    return reply.code(204).send();
  });
  app.delete('/_sandbox/faults', async (_request, reply) => {
    clearFaults();
    return reply.code(204).send();
  });
  app.post('/_sandbox/clock', async (request, reply) => {
    skewMs += (request.body as { advance_ms: number }).advance_ms;
    return reply.code(204).send();
  });
  app.post('/_sandbox/reset', async (_request, reply) => {
    reset();
    return reply.code(204).send();
  });

  definition.routes({
    app,
    now,
    effect: (type, object) => void effects.push({ at: now(), type, object }),
    lies: (request) => take(request, (kind) => kind === 'lie') !== undefined,
  });
  return {
    vendor: definition.vendor,
    app,
    effects,
    calls,
    seed: definition.seed,
    dump: definition.dump,
    fault,
    clearFaults,
    advance: (ms) => {
      skewMs += ms;
    },
    reset,
  };
}

/** Starts a vendor simulator on 127.0.0.1 and answers when it listens. */
export async function startSimulator(definition: VendorDefinition, options: { port?: number } = {}): Promise<Simulator> {
  const core = createSimulator(definition);
  const { app } = core;
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    ...core,
    url: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
