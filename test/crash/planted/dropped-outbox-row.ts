import { plant } from './plant.ts';

// One entry in a few never gets into the outbox.
plant('modules/audit/record-audit-entry.ts', "  await insertOutbox(", "  if (entry.type === 'task.settled' && /[0-3]$/u.test(eventId)) return eventId;\n  await insertOutbox(");
