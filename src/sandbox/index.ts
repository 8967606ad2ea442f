import { startGenesys } from './genesys/index.ts';
import { startMailInbox, type MailInbox } from './mail/index.ts';
import { startPurge } from './purge/index.ts';
import { startSegment } from './segment/index.ts';
import type { Simulator } from './simulator.ts';
import { startStripe } from './stripe/index.ts';
import { startTwilio } from './twilio/index.ts';

export { examplePeople, plantExamplePeople } from './example-people.ts';
export type { MailInbox } from './mail/index.ts';
export type { Simulator } from './simulator.ts';

/** Which port each part listens on; any free port where absent. */
export interface SandboxPorts {
  readonly stripe?: number;
  readonly twilio?: number;
  readonly segment?: number;
  readonly genesys?: number;
  /** An in-house service that implements the purge contract. */
  readonly purge?: number;
  /** The inbox's HTTP view. */
  readonly mail?: number;
  readonly smtp?: number;
}

/** All vendors' simulators and the inbox, on 127.0.0.1. */
export interface Sandbox {
  readonly stripe: Simulator;
  readonly twilio: Simulator;
  readonly segment: Simulator;
  readonly genesys: Simulator;
  readonly purge: Simulator;
  readonly mail: MailInbox;
  readonly close: () => Promise<void>;
}

const portOf = (port: number | undefined): { port?: number } => (port === undefined ? {} : { port });

/** Starts every simulator, empty; when one cannot start, those that did are closed again and the cause is thrown. */
export async function startSandbox(options: { ports?: SandboxPorts } = {}): Promise<Sandbox> {
  const { ports = {} } = options;
  const started: { close: () => Promise<void> }[] = [];
  const keep = async <Part extends { close: () => Promise<void> }>(starting: Promise<Part>): Promise<Part> => {
    const part = await starting;
    started.push(part);
    return part;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map(async (each) => each.close()));
  };
  try {
    const stripe = await keep(startStripe(portOf(ports.stripe)));
    const twilio = await keep(startTwilio(portOf(ports.twilio)));
    const segment = await keep(startSegment(portOf(ports.segment)));
    const genesys = await keep(startGenesys(portOf(ports.genesys)));
    const purge = await keep(startPurge(portOf(ports.purge)));
    const mailPorts = { ...portOf(ports.smtp), ...(ports.mail === undefined ? {} : { httpPort: ports.mail }) };
    const mail = await keep(startMailInbox(mailPorts));
    return { stripe, twilio, segment, genesys, purge, mail, close };
  } catch (error) {
    await close();
    throw error;
  }
}
