import { z } from 'zod';
import type { RequestId } from '../../contract/ids.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { ClockActions, ExplainedClock } from './act-on-clock.ts';
import { delayReasons, refusalReasons } from '../../contract/justifications.ts';
import { pauseConditionSchema } from './domain/law-pack.ts';
import { requestIdOf, requestParams } from './routes.ts';

const stepSchema = z.object({ what: z.string(), source: z.string(), from: z.string(), to: z.string() });

/** A request's clock as the API shows it. */
export const clockBodySchema = z.object({
  law: z.string(),
  title: z.string(),
  law_version: z.string(),
  right: z.string(),
  jurisdiction: z.string().nullable(),
  chosen_because: z.string(),
  source: z.string(),
  grade: z.string(),
  time_zone: z.string(),
  received_at: z.string(),
  verified_at: z.string().nullable(),
  dates: z.array(z.object({ name: z.enum(['acknowledgement', 'target', 'extension_notice', 'due', 'appeal']), at: z.string(), done_at: z.string().nullable(), steps: z.array(stepSchema) })),
  paused: z.boolean(),
  pauses: z.array(z.object({ condition: z.string(), from: z.string(), to: z.string().nullable() })),
  may_be_paused_for: z.array(z.object({ condition: z.string(), source: z.string(), from: z.string().nullable() })),
  extended: z.object({ at: z.string(), reason_code: z.string() }).nullable(),
  silence: z.string().nullable(),
  not_relied_on: z.array(z.object({ law: z.string(), title: z.string(), due_at: z.string() })),
  note: z.string().nullable(),
});

const nothing = z.strictObject({}).nullish();
const decisionSchema = z.discriminatedUnion('decision', [
  z.strictObject({ decision: z.literal('granted') }),
  z.strictObject({ decision: z.literal('denied'), reason_code: z.enum(refusalReasons) }),
]);

/** What the routes need. */
export interface ClockRoutesDeps {
  readonly authenticate: Authenticate;
  readonly actions: ClockActions;
}

/** Registers the routes that explain a request's clock and act on it. */
export function registerClockRoutes(app: HttpServer, { authenticate, actions }: ClockRoutesDeps): void {
  const security = [{ apiKey: [] }];
  app.get(
    '/v1/privacy-requests/:id/clock',
    { schema: { summary: 'Explain every legal date of a request, step by step', tags: ['clocks'], security, params: requestParams, response: { 200: clockBodySchema } } },
    async (request) => {
      authenticate(request);
      return mutable(await actions.explain(requestIdOf(request.params.id)));
    },
  );
  const post = <Body extends z.ZodType>(name: string, summary: string, body: Body, run: (id: RequestId, operator: string, body: z.output<Body>) => Promise<ExplainedClock>): void => {
    app.post(
      `/v1/privacy-requests/:id/${name}`,
      { schema: { summary, tags: ['clocks'], security, params: requestParams, body, response: { 200: clockBodySchema } } },
      async (request) => {
        const operator = authenticate(request);
        const { id } = request.params;
        return mutable(await run(requestIdOf(id), operator.name, request.body as z.output<Body>));
      },
    );
  };
  post('extend', 'Extend the answer once, with a coded reason, and tell the person', z.strictObject({ reason_code: z.enum(delayReasons), until: z.iso.date().optional() }), (id, operator, body) => actions.extend(id, operator, body.reason_code, body.until));
  post('pause', 'Stop the clock, where the law allows it', z.strictObject({ condition: pauseConditionSchema }), (id, operator, body) => actions.pause(id, operator, body.condition));
  post('resume', 'Let a stopped clock run again', nothing, (id, operator) => actions.resume(id, operator));
  post('appeal', 'Record an appeal against how the request ended', nothing, (id, operator) => actions.appeal(id, operator));
  post('appeal/decision', 'Decide an appeal, and tell the person', decisionSchema, (id, operator, body) =>
    actions.decide(id, operator, body.decision === 'granted' ? body : { decision: 'denied', reason: body.reason_code }),
  );
}

/** The answer's schema has mutable lists. */
const mutable = (clock: ExplainedClock): z.input<typeof clockBodySchema> => ({ ...clock, dates: clock.dates.map((each) => ({ ...each, steps: [...each.steps] })) });
