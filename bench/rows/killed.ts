import { rowOf, sized, type BenchContext, type BenchRow } from '../measure.ts';
import { plantPeople } from '../people.ts';
import { makeInstallation } from '../server.ts';
import { sendRequest, untilClosed } from '../settle.ts';
import { startVendors, type Vendors } from '../vendors.ts';

const kills = 5;
/** Between looks at how far the vendor's deletions are. */
const lookMs = 20;

const deleted = async (vendors: Vendors): Promise<number> => (await vendors.count()).effects['message.deleted'] ?? 0;

/** Erases a person with many messages, killed so often on the way, and gives how many calls that took and how many deletions were repeated. */
async function erase(context: BenchContext, vendors: Vendors, messages: number, times: number): Promise<{ readonly calls: number; readonly repeated: number; readonly largest: number }> {
  await vendors.reset();
  const [person] = await plantPeople(vendors, 1);
  if (person === undefined) throw new Error('Nobody was planted');
  await vendors.seed('twilio', { bulk: { to: person.phone, from: '+12025550190', count: messages } });
  const installation = makeInstallation(vendors);
  try {
    let server = await installation.start();
    const { id } = await sendRequest(server.url, person);
    let largest = 0;
    let repeatedBefore = 0;
    for (let kill = 1; kill <= times; kill += 1) {
      while ((await deleted(vendors)) < (messages * kill) / (times + 1)) await new Promise((resolve) => setTimeout(resolve, lookMs));
      await server.stop('SIGKILL');
      const repeated = await vendors.repeated('DELETE');
      largest = Math.max(largest, repeated - repeatedBefore);
      repeatedBefore = repeated;
      context.say(`killed: kill ${kill} of ${times}, ${await deleted(vendors)} of ${messages} messages deleted`);
      server = await installation.start();
    }
    await untilClosed(server.url, [id]);
    const repeated = await vendors.repeated('DELETE');
    largest = Math.max(largest, repeated - repeatedBefore);
    await server.stop();
    const done = await deleted(vendors);
    // Beside the bulk there are the two messages that everybody has.
    if (done !== messages + 2) throw new Error(`${done} messages were deleted of ${messages + 2}`);
    return { calls: (await vendors.count()).calls, repeated, largest };
  } finally {
    await installation.remove();
  }
}

/** Calls that crashes cost. */
const killed: BenchRow = {
  name: 'killed',
  run: async (context) => {
    const vendors = await startVendors();
    try {
      const messages = sized(context, 10_000, 500);
      const without = await erase(context, vendors, messages, 0);
      const with_ = await erase(context, vendors, messages, kills);
      const head = {
        name: killed.name,
        what: `calls for a person with ${messages.toLocaleString('en-US')} messages at Twilio, embedded database, killed ${kills} times on the way`,
        against: 'the same without kills',
        unit: 'calls',
        size: messages,
        goal: { how: 'at_most', factor: 1.1, plus: 0 },
      } as const;
      return [rowOf(head, [{ measured: with_.calls, reference: without.calls }], { 'deletions repeated, all kills together': [with_.repeated], 'deletions repeated after one kill, at most': [with_.largest] })];
    } finally {
      await vendors.stop();
    }
  },
};

/** What being killed costs at the vendor. */
export const killedRows: readonly BenchRow[] = [killed];
