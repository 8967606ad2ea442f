import { verifyCertificate, type CertificateVerified } from '../../../../verify/index.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { readFileOrExplain, readKeyFile } from '../../../read-file.ts';
import { renderCounts } from '../../../terminal/task-lines.ts';
import { renderTable } from '../../../terminal/table.ts';

interface Flags extends JsonFlag {
  readonly key: string;
}

/** Verifies a certificate and says what it states, or which check failed. */
export async function run(this: CliContext, flags: Flags, file: string): Promise<void> {
  const keys = await readKeyFile(flags.key);
  const result = verifyCertificate(await readFileOrExplain(file), { keys });
  if (!result.ok) this.process.exitCode = exitCodes.found;
  if (flags.json) printJson(this, result);
  else if (result.ok) print(this, ...statementLines(result));
  else print(this, `NOT VALID: ${result.message} (check: ${result.check})`);
}

function statementLines(result: CertificateVerified): readonly string[] {
  const { statement } = result;
  const rows = statement.systems.map((each) => [each.system, each.identifier.kind, each.outcome, each.confirmation ?? '–', renderCounts(each.counts) || '–', each.settled_at.slice(0, 16)]);
  const residue = statement.systems.flatMap((each) => each.residue.map((left) => `  ${each.system}: ${left.what} (${[left.why, left.legal_basis, left.until?.slice(0, 10)].filter((part) => part !== undefined).join(', ')})`));
  return [
    `VALID: row ${result.index} of ${result.size} in the log ${result.origin}, recorded ${result.issuedAt} (grade: ${result.grade})`,
    `request ${statement.request.id} (${statement.request.reference}), ${statement.right} under ${statement.law}, by ${statement.controller.name}`,
    `received ${statement.received_at}, completed ${statement.completed_at}, due ${statement.due_at}: ${statement.verdict}`,
    ...(statement.limited_to === undefined ? [] : [`limited to ${statement.limited_to.join(', ')}: nothing is claimed of any other system`]),
    '',
    ...renderTable(['system', 'identifier', 'outcome', 'confirmation', 'objects', 'settled'], rows),
    ...(residue.length === 0 ? [] : ['What stays, and why:', ...new Set(residue)]),
    ...(result.timestampsUnchecked === 0 ? [] : [`${result.timestampsUnchecked} time-stamps were not checked.`]),
    '',
    'It shows that this record existed, unaltered, in this append-only log; not that a third party really deleted.',
  ];
}
