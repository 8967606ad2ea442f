import { createRecipients, createSayAgain, createTellLifted, type Notify, type Recipients, type SayAgain, type SkippedNotice, type TellLifted } from '../modules/notifications/index.ts';
import { openManualTask } from '../modules/orchestration/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { ConfigDocument } from '../platform/config/document.ts';
import type { SystemKeys } from '../platform/crypto/system-keys.ts';
import type { Tx } from '../platform/db/database.ts';
import type { Jobs } from '../platform/jobs/jobs.ts';

/** How recipients of people's data are told what became of it, and who hears of it when a message that must not be missed does not go out. */
export interface RecipientsMade {
  readonly recipients: Recipients;
  readonly tellLifted: TellLifted;
  readonly sayAgain: SayAgain;
  readonly onSkipped: (tx: Tx, skipped: SkippedNotice) => Promise<void>;
}

/** Makes them of a configuration. Fails with `CONFIG_INVALID`, as the recipients do. */
export function makeRecipients(parts: { readonly config: ConfigDocument; readonly clock: Clock; readonly jobs: Pick<Jobs, 'send'>; readonly systemKeys: SystemKeys; readonly notify: Notify }): RecipientsMade {
  const { clock, jobs, notify } = parts;
  return {
    recipients: createRecipients(parts.config),
    tellLifted: createTellLifted({ clock, jobs, systemKeys: parts.systemKeys }),
    sayAgain: createSayAgain({ clock, jobs }),
    onSkipped: async (tx, { requestId, template, recipient, since }) => {
      // It belongs to no request that could wait for a person.
      if (requestId === null) await notify(tx, { requestId, template: 'dpo_recipient', recipient: 'dpo', occasion: `${recipient ?? ''}:${since}` });
      else await openManualTask({ clock, notify }, tx, { requestId, taskId: null, code: template === 'ready' ? 'EXPORT_NOT_DELIVERED' : 'RECIPIENT_NOT_TOLD' });
    },
  };
}
