import { createHash } from 'node:crypto';
import { AwsProblem } from './gate.ts';
import { refuseMember, wanted, type AwsCall, type AwsOperation } from './operation.ts';
import type { Json, Queue } from './state.ts';

/** docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html: the name may be used again after that. */
const nameHeldMs = 60_000;
const visibilityMs = 30_000;
const defaults = { VisibilityTimeout: '30', MessageRetentionPeriod: '345600', SqsManagedSseEnabled: 'true' };

const urlOf = ({ origin, state }: AwsCall, name: string): string => `${origin}/${state.account}/${name}`;

function missing(): AwsProblem {
  return new AwsProblem('QueueDoesNotExist', 'The specified queue does not exist.');
}

function queueOf(call: AwsCall): Queue {
  const name = wanted(call.input, 'QueueUrl').split('/').at(-1) ?? '';
  const queue = call.state.queues.get(name);
  if (queue === undefined) throw missing();
  return queue;
}

function checkAttributes(attributes: Readonly<Record<string, string>>): void {
  const retention = attributes['MessageRetentionPeriod'];
  if (retention !== undefined && !(Number(retention) >= 60 && Number(retention) <= 1_209_600)) throw new AwsProblem('InvalidAttributeValue', 'Invalid value for the parameter MessageRetentionPeriod.');
  const policy = attributes['Policy'];
  if (policy !== undefined && policy !== '') {
    try {
      JSON.parse(policy);
    } catch {
      throw new AwsProblem('InvalidAttributeValue', 'Invalid value for the parameter Policy.');
    }
  }
}

function createQueue(call: AwsCall): Json {
  const { state, context, input } = call;
  const name = wanted(input, 'QueueName', { pattern: /^[A-Za-z0-9_-]{1,80}$/u });
  const attributes = (input['Attributes'] as Readonly<Record<string, string>> | undefined) ?? {};
  checkAttributes(attributes);
  const old = state.queues.get(name);
  if (old !== undefined) {
    if (Object.entries(attributes).some(([key, value]) => old.attributes[key] !== value)) throw new AwsProblem('QueueNameExists', 'A queue already exists with the same name and a different value for some attribute.');
    return { QueueUrl: urlOf(call, name) };
  }
  if (context.now() - (state.deletedQueues.get(name) ?? -Infinity) < nameHeldMs) throw new AwsProblem('QueueDeletedRecently', 'You must wait 60 seconds after deleting a queue before you can create another with the same name.');
  const arn = `arn:aws:sqs:${state.region}:${state.account}:${name}`;
  state.queues.set(name, { name, arn, attributes: { ...defaults, ...attributes }, messages: [] });
  state.tags.set(arn, (input['tags'] as Readonly<Record<string, string>> | undefined) ?? {});
  context.effect('queue.created', name);
  return { QueueUrl: urlOf(call, name) };
}

function getAttributes(call: AwsCall): Json {
  const queue = queueOf(call);
  const visible = queue.messages.filter(({ visibleAt }) => visibleAt <= call.context.now()).length;
  const all: Readonly<Record<string, string>> = { ...queue.attributes, QueueArn: queue.arn, ApproximateNumberOfMessages: String(visible), ApproximateNumberOfMessagesNotVisible: String(queue.messages.length - visible) };
  const names = (call.input['AttributeNames'] as readonly string[] | undefined) ?? [];
  return { Attributes: Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== '' && (names.includes('All') || names.includes(name)))) };
}

function setAttributes(call: AwsCall): Json {
  const queue = queueOf(call);
  const attributes = (call.input['Attributes'] as Readonly<Record<string, string>> | undefined) ?? refuseMember('attributes', 'not be null');
  checkAttributes(attributes);
  queue.attributes = { ...queue.attributes, ...attributes };
  call.context.effect('queue.updated', queue.name);
  return {};
}

function deleteQueue(call: AwsCall): Json {
  const queue = queueOf(call);
  call.state.queues.delete(queue.name);
  call.state.tags.delete(queue.arn);
  call.state.deletedQueues.set(queue.name, call.context.now());
  call.context.effect('queue.deleted', queue.name);
  return {};
}

function receiveMessage(call: AwsCall): Json {
  const queue = queueOf(call);
  const now = call.context.now();
  const given = queue.messages.filter(({ visibleAt }) => visibleAt <= now).slice(0, Number(call.input['MaxNumberOfMessages'] ?? 1));
  for (const message of given) message.visibleAt = now + visibilityMs;
  return {
    Messages: given.map(({ id, body, attributes }) => ({
      MessageId: id,
      ReceiptHandle: id,
      Body: body,
      MD5OfBody: createHash('md5').update(body).digest('hex'),
      MessageAttributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }])),
    })),
  };
}

function deleteMessage(call: AwsCall): Json {
  const queue = queueOf(call);
  const handle = wanted(call.input, 'ReceiptHandle');
  queue.messages = queue.messages.filter(({ id }) => id !== handle);
  return {};
}

function tagQueue(call: AwsCall): Json {
  const { arn } = queueOf(call);
  call.state.tags.set(arn, { ...call.state.tags.get(arn), ...(call.input['Tags'] as Readonly<Record<string, string>> | undefined) });
  return {};
}

/** The little of Amazon SQS that a dead-letter queue needs. */
export const sqsOperations: Readonly<Record<string, AwsOperation>> = {
  CreateQueue: createQueue,
  GetQueueUrl: (call) => {
    const name = wanted(call.input, 'QueueName');
    if (!call.state.queues.has(name)) throw missing();
    return { QueueUrl: urlOf(call, name) };
  },
  GetQueueAttributes: getAttributes,
  SetQueueAttributes: setAttributes,
  DeleteQueue: deleteQueue,
  ReceiveMessage: receiveMessage,
  DeleteMessage: deleteMessage,
  TagQueue: tagQueue,
  ListQueueTags: (call) => ({ Tags: call.state.tags.get(queueOf(call).arn) ?? {} }),
};

/** The name of an operation's problem in the older protocol, which clients are told beside the newer one. */
export function queryErrorOf(code: string): string | undefined {
  return { QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue', QueueNameExists: 'QueueAlreadyExists', QueueDeletedRecently: 'AWS.SimpleQueueService.QueueDeletedRecently' }[code];
}

