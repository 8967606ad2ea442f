import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { IAMClient } from '@aws-sdk/client-iam';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { ErrorCode } from '../../../contract/errors.ts';
import { Failure } from '../../../platform/failure.ts';

/** How often a call is made that was throttled or got no answer. */
const attemptsMax = 5;

/** A call that Amazon refused, or that got no answer. The code is the one of the API. */
export class AwsRefusal extends Error {
  readonly operation: string;
  readonly code: string;
  /** Absent where there was no answer. */
  readonly status: number | undefined;

  constructor(operation: string, code: string, status: number | undefined, options: { readonly cause: unknown; readonly message: string }) {
    super(options.message, { cause: options.cause });
    this.name = 'AwsRefusal';
    this.operation = operation;
    this.code = code;
    this.status = status;
  }
}

/** The three services, each as far as it is used. A call that fails throws an `AwsRefusal`. */
export interface Aws {
  readonly events: Pick<EventBridgeClient, 'send'>;
  readonly iam: Pick<IAMClient, 'send'>;
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly close: () => void;
}

/** Where the services are, and who asks. */
export interface AwsSettings {
  readonly region: string;
  /** Of one service that stands in for all three. */
  readonly endpoint?: string;
  /** The role of the machine, the environment and the files that Amazon's clients read, when absent. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface Sender {
  readonly send: (command: object) => Promise<unknown>;
}

/** Lets a client's refusals say which operation they are of. */
function named<Client extends object>(client: Client): Client {
  const sender = client as unknown as Sender;
  const send = async (command: object): Promise<unknown> => {
    try {
      return await sender.send(command);
    } catch (error) {
      const { name, message, $metadata: metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
      throw new AwsRefusal(command.constructor.name.replace(/Command$/u, ''), name, metadata?.httpStatusCode, { cause: error, message });
    }
  };
  return { send } as unknown as Client;
}

/** Makes Amazon's own clients for the three services. */
export function createAws({ region, endpoint, credentials }: AwsSettings): Aws {
  const settings = { region, maxAttempts: attemptsMax, ...(endpoint === undefined ? {} : { endpoint }), ...(credentials === undefined ? {} : { credentials }) };
  const clients = { events: new EventBridgeClient(settings), iam: new IAMClient(settings), sqs: new SQSClient(settings) };
  return {
    events: named(clients.events),
    iam: named(clients.iam),
    sqs: named(clients.sqs),
    close: () => {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

const credentialCodes = /^(UnrecognizedClient|InvalidSignature|ExpiredToken|InvalidClientTokenId|MissingAuthenticationToken|CredentialsProviderError|SignatureDoesNotMatch|TokenProviderError)/u;

function codeOf({ code, status }: AwsRefusal): ErrorCode {
  if (credentialCodes.test(code)) return 'CONNECTION_AUTH';
  if (/throttl|TooManyRequests/iu.test(code)) return 'VENDOR_RATE_LIMITED';
  return status === undefined || status >= 500 ? 'VENDOR_UNAVAILABLE' : 'CONNECTION_REFUSED';
}

/** Says in Quittance's terms what was refused. What Amazon says of a call that carried a secret is left out, for it may repeat it. */
export function failureOf(refusal: AwsRefusal): Failure {
  if (refusal.status === undefined && codeOf(refusal) === 'VENDOR_UNAVAILABLE') return new Failure('VENDOR_UNAVAILABLE', `Amazon gave no answer to ${refusal.operation} (${refusal.code})`, { cause: refusal });
  const words = /^(Create|Update)Connection$/u.test(refusal.operation) ? '' : `: ${refusal.message}`;
  return new Failure(codeOf(refusal), `Amazon refused ${refusal.operation} (${refusal.code})${words}`, { cause: refusal });
}

/** Answers undefined where a thing is not there. */
export async function orAbsent<Value>(asking: Promise<Value>): Promise<Value | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof AwsRefusal && /^(ResourceNotFoundException|NoSuchEntity(Exception)?|QueueDoesNotExist|AWS\.SimpleQueueService\.NonExistentQueue)$/u.test(error.code)) return undefined;
    throw error;
  }
}
