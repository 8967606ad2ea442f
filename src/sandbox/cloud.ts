import { examplePeople, type ExamplePerson } from './example-people.ts';
import { startGcs } from './gcs/index.ts';
import { startPubsub } from './pubsub/index.ts';
import { startS3 } from './s3/index.ts';
import type { Simulator } from './simulator.ts';

/** Which port each service listens on; any free port where absent. */
export interface CloudPorts {
  readonly s3?: number;
  readonly gcs?: number;
  readonly pubsub?: number;
}

/** Where the company's own application keeps its users' files and tells its services of them, on 127.0.0.1. */
export interface Cloud extends Readonly<Record<keyof CloudPorts, Simulator>> {
  readonly close: () => Promise<void>;
}

/** Starts the simulators, empty; when one cannot start, those that did are closed again and the cause is thrown. */
export async function startCloud(ports: CloudPorts = {}): Promise<Cloud> {
  const started: Simulator[] = [];
  const keep = async (start: typeof startS3, port: number | undefined): Promise<Simulator> => {
    const simulator = await start(port === undefined ? {} : { port });
    started.push(simulator);
    return simulator;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map(async (each) => each.close()));
  };
  try {
    const s3 = await keep(startS3, ports.s3);
    const gcs = await keep(startGcs, ports.gcs);
    const pubsub = await keep(startPubsub, ports.pubsub);
    return { s3, gcs, pubsub, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Plants the same people: a picture and a note of each in both stores (a bucket `files` in S3), and a workstation behind Pub/Sub. */
export function plantCloudPeople(cloud: Readonly<Record<keyof CloudPorts, Pick<Simulator, 'seed'>>>, people: readonly ExamplePerson[] = examplePeople): void {
  const users = people.map(({ userId, name }) => ({ userId, name }));
  cloud.s3.seed({
    buckets: [{ name: 'files', versioning: true }],
    objects: users.flatMap(({ userId, name }) => [
      { bucket: 'files', key: `avatars/${userId}.png`, body: `A picture of ${name}`, content_type: 'image/png' },
      { bucket: 'files', key: `users/${userId}/notes.txt`, body: `A note of ${name}`, content_type: 'text/plain' },
    ]),
  });
  cloud.gcs.seed({ objects: users.map(({ userId, name }) => ({ name: `users/${userId}/notes.txt`, body: `A note of ${name}`, content_type: 'text/plain' })) });
  cloud.pubsub.seed({ workstations: users.map(({ userId }) => ({ user_id: userId, name: `workstation-of-${userId}` })) });
}
