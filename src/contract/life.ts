import type { RequestStatus, TaskStatus } from './outcomes.ts';

/** Who or what makes a move: a look by the worker, what a vendor answered, a time that came, the person, an operator, or the intake of the request. */
export type Mover = 'intake' | 'worker' | 'vendor' | 'time' | 'subject' | 'operator';

/** One allowed move: who makes it, and when. */
export interface Exit {
  readonly by: readonly Mover[];
  readonly when: string;
}

/** A state and the moves out of it. What is absent cannot happen. */
export interface LifeState<State extends string> {
  /** Where something can begin. */
  readonly begins?: true;
  /** Where nothing more happens by itself, or only when its time comes; a state without this has a next wake-up, or an open manual task. */
  readonly ends?: true;
  readonly means: string;
  readonly exits: Readonly<Partial<Record<State, Exit>>>;
}

/** A life: every state that there is. */
export type Life<State extends string> = Readonly<Record<State, LifeState<State>>>;

const takenBack: Exit = { by: ['operator'], when: 'it is taken back' };
const granted = 'an appeal against how it ended is granted';
const refused: Exit = { by: ['operator'], when: 'it is refused, with a coded reason' };

/**
 * The life of a request, as the one table. `moveRequest` refuses what is not in it, `docs/reference/life.md` is made from it, and
 * `test/life` walks through all of it.
 */
export const requestLife: Life<RequestStatus> = {
  received: {
    begins: true,
    means: 'has arrived; left in the same transaction, so that nothing is ever stored as this',
    exits: {
      verifying: { by: ['intake'], when: 'nobody has verified the person yet' },
      verified: { by: ['intake'], when: 'its source has verified the person' },
    },
  },
  verifying: {
    means: 'waits for proof of who the person is; no system is called',
    exits: {
      verified: { by: ['subject', 'operator'], when: 'a code is entered, or evidence seen' },
      expired: { by: ['time'], when: 'no proof came in time' },
      withdrawn: takenBack,
      rejected: refused,
    },
  },
  verified: {
    means: 'of a verified person; waits for an earlier request of the same person, if there is one',
    exits: { resolving: { by: ['worker'], when: 'no earlier request of the person is open' }, withdrawn: takenBack, rejected: refused },
  },
  resolving: {
    means: 'identifiers are looked up',
    exits: {
      planned: { by: ['worker'], when: 'nothing new is found any more' },
      escalated: { by: ['worker', 'time'], when: 'only a person can help, or the window passed' },
      withdrawn: takenBack,
      rejected: refused,
    },
  },
  planned: {
    means: 'has its tasks; none has begun',
    exits: {
      awaiting_approval: { by: ['worker'], when: 'the policy asks for approval' },
      executing: { by: ['worker'], when: 'the policy does not' },
      withdrawn: takenBack,
      rejected: refused,
    },
  },
  awaiting_approval: {
    means: 'an operator looks at the plan',
    exits: { executing: { by: ['operator'], when: 'the plan is approved' }, rejected: refused, withdrawn: takenBack },
  },
  executing: {
    means: 'a task erases, or is to',
    exits: {
      confirming: { by: ['worker'], when: 'all that is at work is being read back' },
      escalated: { by: ['worker'], when: 'all that is left waits for a person' },
      closed: { by: ['worker'], when: 'every task is settled' },
    },
  },
  confirming: {
    means: 'every task at work is read back, or the package of the person’s data is being made',
    exits: {
      executing: { by: ['worker'], when: 'a task erases again, or a new one does' },
      escalated: { by: ['worker'], when: 'all that is left waits for a person' },
      closed: { by: ['worker'], when: 'every task is settled' },
    },
  },
  // Refused or taken back only where it was escalated before it had a plan: `act-on-request` sees to that.
  escalated: {
    means: 'only people can move it on',
    exits: {
      resolving: { by: ['operator'], when: 'resolution is tried again' },
      executing: { by: ['operator', 'worker'], when: 'a task is tried again, or its vendor finished after all' },
      confirming: { by: ['worker'], when: 'a task that was tried again is being read back' },
      closed: { by: ['operator'], when: 'the last task is settled' },
      rejected: refused,
      withdrawn: takenBack,
    },
  },
  closed: {
    ends: true,
    means: 'has its verdict; certified, and shredded after the grace period',
    exits: { executing: { by: ['time', 'operator'], when: `what was too young to erase has come of age, or ${granted}` } },
  },
  rejected: {
    ends: true,
    means: 'was refused',
    exits: { verifying: { by: ['operator'], when: `${granted}, and nobody has verified the person yet` }, verified: { by: ['operator'], when: granted } },
  },
  withdrawn: { ends: true, means: 'was taken back', exits: {} },
  expired: { ends: true, means: 'was never verified', exits: {} },
};

/** The life of a task, as the one table. `updateTask` refuses what is not in it; the rest as for requests. */
export const taskLife: Life<TaskStatus> = {
  waiting: {
    begins: true,
    means: 'before its first step, or before it is done anew',
    exits: {
      running: { by: ['worker'], when: 'what comes first is over, and its connection has a place' },
      manual: { by: ['worker', 'time'], when: 'its connection is not configured any more, or was shut for the whole window' },
      settled: { by: ['operator'], when: 'the request is refused or taken back' },
    },
  },
  running: {
    means: 'a step of what it does there is due or at work',
    exits: {
      running: { by: ['worker', 'vendor'], when: 'there is more to do, or a call is tried again' },
      confirming: { by: ['vendor'], when: 'says that it is erased, absent, or corrected' },
      settled: { by: ['vendor'], when: 'holds nothing, and was not seen to, retains it, or has given all that it holds' },
      manual: { by: ['vendor', 'time', 'worker'], when: 'only a person can help, the window passed, or its connection is not configured any more' },
    },
  },
  confirming: {
    means: 'the system said done, and is read back',
    exits: {
      confirming: { by: ['worker', 'vendor'], when: 'it is still seen, or cannot be seen yet' },
      settled: { by: ['vendor'], when: 'is read back as absent, or as corrected, or its word is all there is' },
      manual: { by: ['vendor', 'time', 'worker'], when: 'it is seen again and again, only a person can help, the window passed, or its connection is not configured any more' },
    },
  },
  settled: {
    begins: true,
    ends: true,
    means: 'has its outcome; begins here where a system cannot be asked',
    exits: {
      waiting: { by: ['operator'], when: 'an appeal is granted, and it was left out by the refusal or did not come to what was asked' },
      running: { by: ['time'], when: 'what was too young to erase has come of age' },
      manual: { by: ['vendor', 'operator'], when: 'the system takes back, before the request is closed, what it reported, or an appeal is granted and it was a person who decided' },
    },
  },
  manual: {
    begins: true,
    means: 'a person decides; begins here where an identifier may be of somebody else, or where the system cannot do what is asked',
    exits: {
      running: { by: ['operator', 'vendor'], when: 'it is tried again, or its vendor finished after all' },
      settled: { by: ['operator'], when: 'it was done by hand, is left out, or the request is refused' },
    },
  },
};

/** Says whether something may go from one state of its life to another. */
export function mayFollow<State extends string>(life: Life<State>, from: State, to: State): boolean {
  return life[from].exits[to] !== undefined;
}

/** The states of a life in which nothing more happens by itself, or only when its time comes. */
export function endsOf<State extends string>(life: Life<State>): readonly State[] {
  return (Object.keys(life) as State[]).filter((state) => life[state].ends === true);
}
