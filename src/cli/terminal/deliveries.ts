import type { Delivery } from '../event-schemas.ts';
import { renderTable } from './table.ts';

/** Lays out deliveries as a table. */
export function renderDeliveries(deliveries: readonly Delivery[]): readonly string[] {
  const acknowledged = ({ acknowledgement, needs_acknowledgement: isNeeded }: Delivery): string => acknowledgement?.outcome ?? (isNeeded ? 'awaited' : '–');
  const rows = deliveries.map((each) => [each.event_id, each.rule, each.target, each.destination, each.status, each.code ?? '–', String(each.attempts), acknowledged(each), each.next_at?.slice(0, 19) ?? '–']);
  return renderTable(['event', 'rule', 'target', 'destination', 'status', 'reason', 'tries', 'acknowledged', 'next try'], rows);
}
