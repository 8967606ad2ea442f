import { MultipleErrors, ResponseError } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import { topologyIn } from './consume-kafka-cluster.ts';

const partition = (partitionIndex: number, leaderId: number) => ({ partitionIndex, leaderId, errorCode: leaderId < 0 ? 5 : 0, leaderEpoch: 0, replicaNodes: [], isrNodes: [], offlineReplicas: [] });
/** What the client throws after it has asked twice; 3 is its metadata call, 5 is LEADER_NOT_AVAILABLE. */
const thrown = (errorCode: number): Error => {
  const response = { brokers: [{ nodeId: 7, host: 'kafka.example', port: 9092, rack: null }], topics: [{ errorCode, name: 'requests', topicId: 'an-id', partitions: [partition(1, 7), partition(0, -1)] }] };
  return new MultipleErrors('metadata failed 2 times.', [new ResponseError(3, 12, { '/topics/0/partitions/1': [5, null] }, response)]);
};

describe('of a topic of which a partition has no leader', () => {
  test('the leaders of the others are known', () => {
    expect(topologyIn(thrown(0), 'requests')).toEqual({ id: 'an-id', leaders: [-1, 7], brokers: new Map([[7, { host: 'kafka.example', port: 9092 }]]) });
  });

  test('nothing is known where the topic itself has an error, of another topic, or from no answer', () => {
    expect([topologyIn(thrown(29), 'requests'), topologyIn(thrown(0), 'others'), topologyIn(new Error('away'), 'requests')]).toEqual([undefined, undefined, undefined]);
  });
});
