import type { ExportCategory, ExportDocument, ExportSource } from '../../../contract/export-package.ts';
import { escapeHtml, pageEnd, pageHead } from './html.ts';

const text = (value: string): string => `<bdi>${escapeHtml(value)}</bdi>`;
const words = (code: string): string => code.replaceAll('_', ' ');
const list = (values: readonly string[] | undefined, none: string): string => (values === undefined || values.length === 0 ? none : values.map(text).join('<br>'));

/** The deepest nesting that is shown in tables; what is deeper is shown as JSON. */
const depthMax = 3;

function valueOf(value: unknown, depth: number): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return text(value);
  if (typeof value !== 'object') return escapeHtml(JSON.stringify(value));
  if (depth >= depthMax) return text(JSON.stringify(value));
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length === 0) return '–';
  if (Array.isArray(value)) return `<ol>${value.map((each) => `<li>${valueOf(each, depth + 1)}</li>`).join('')}</ol>`;
  return `<table><tbody>${entries.map(([key, each]) => `<tr><th scope="row">${text(key)}</th><td>${valueOf(each, depth + 1)}</td></tr>`).join('')}</tbody></table>`;
}

function sourceRow(source: ExportSource): string {
  const cells = [
    `${text(source.title)} (${text(source.type)})`,
    String(source.records),
    source.declared ? text(source.purpose ?? '') : 'not declared',
    source.legal_basis === undefined ? 'not declared' : words(source.legal_basis),
    source.declared ? text(source.retention ?? '') : 'not declared',
    source.declared ? list(source.recipients, 'nobody') : 'not declared',
    source.declared ? list(source.transfers, 'none') : 'not declared',
    source.provided_by_subject === undefined ? 'not declared' : source.provided_by_subject ? 'you' : 'not from you',
  ];
  return `<tr><th scope="row">${cells[0] ?? ''}</th>${cells.slice(1).map((cell) => `<td>${cell}</td>`).join('')}</tr>\n`;
}

const sourceColumns = ['Source', 'Records', 'Purpose', 'Legal basis', 'How long it is kept', 'Recipients', 'Transfers to third countries', 'Provided by'];

function repetitionsOf({ repetitions, may_repeat: mayRepeat }: ExportCategory): string {
  const dropped = repetitions === 0 ? '' : ` ${repetitions} more were the same again, found by another of your identifiers.`;
  return mayRepeat === undefined ? dropped : `${dropped} There are too many to tell for each whether it is here twice.`;
}

/** Gives a category's part of the page, piece by piece. */
function* categoryParts(category: ExportCategory): Generator<string> {
  yield `<h3 id="category-${escapeHtml(category.name)}">${escapeHtml(words(category.name))}</h3>\n<p>${category.records} records.${repetitionsOf(category)}</p>\n<div class="scroll"><table><caption>Where it comes from and what it is for</caption>\n`;
  yield `<thead><tr>${sourceColumns.map((column) => `<th scope="col">${column}</th>`).join('')}</tr></thead>\n<tbody>\n`;
  for (const source of category.sources) yield sourceRow(source);
  yield '</tbody></table></div>\n';
  if (category.files.length > 0) yield `<p>The records are in ${category.files.map((file) => `<a href="${escapeHtml(file)}">${escapeHtml(file)}</a>`).join(' and ')}.</p>\n`;
  for (const [index, record] of (category.data ?? []).entries()) {
    yield `<h4>Record ${index + 1}: ${text(record.type)} from ${text(record.system)}</h4>\n<div class="scroll">${valueOf(record.data, 0)}</div>\n`;
  }
}

/** Gives the page that people read, piece by piece: the same as `export.json`, every value escaped, no scripts and nothing from elsewhere. */
export function* indexPage(document: ExportDocument): Generator<string> {
  const { metadata } = document;
  const title = `Your data at ${metadata.controller.name}`;
  yield pageHead(title);
  yield `<a class="skip" href="#content">Skip to the content</a>\n<main id="content">\n<h1>${text(title)}</h1>\n`;
  yield `<p>Answer to request ${text(metadata.reference)} of ${escapeHtml(metadata.received_at.slice(0, 10))}, made on ${escapeHtml(metadata.generated_at.slice(0, 10))}. Questions: ${text(metadata.controller.contact)}.</p>\n`;
  if (metadata.controller.data_protection_officer !== undefined) yield `<p>Data protection officer: ${text(metadata.controller.data_protection_officer)}.</p>\n`;
  yield '<h2>Who you are to us</h2>\n<table><caption>What we know you by</caption>\n<thead><tr><th scope="col">Kind</th><th scope="col">Value</th></tr></thead>\n<tbody>\n';
  for (const { kind, value } of document.data_subject.identifiers) yield `<tr><th scope="row">${escapeHtml(words(kind))}</th><td>${text(value)}</td></tr>\n`;
  yield '</tbody></table>\n<h2>What we have</h2>\n';
  if (document.categories.length === 0) yield '<p>Nothing was found.</p>\n';
  else yield `<nav aria-label="Categories"><ul>${document.categories.map(({ name, records }) => `<li><a href="#category-${escapeHtml(name)}">${escapeHtml(words(name))}</a>: ${records} records</li>`).join('')}</ul></nav>\n`;
  for (const category of document.categories) yield* categoryParts(category);
  if (metadata.left_out.length + metadata.not_searched.length > 0 || metadata.erased_under !== undefined) {
    yield '<h2>What is not in here</h2>\n<ul>\n';
    if (metadata.erased_under !== undefined) yield `<li>What was erased under your request ${text(metadata.erased_under)}, before this copy could be made.</li>\n`;
    for (const left of metadata.left_out) yield `<li>${escapeHtml(words(left.category))}: ${left.records} records of ${text(left.type)} from ${text(left.system)}. ${text(left.detail)}</li>\n`;
    for (const { system, reason } of metadata.not_searched) yield `<li>${text(system)} could not be asked (${text(reason)}).</li>\n`;
    yield '</ul>\n';
  }
  yield `<h2>Your rights</h2>\n<ul>\n${document.rights.map((right) => `<li>${escapeHtml(right.text)} (${escapeHtml(right.source)})</li>`).join('\n')}\n</ul>\n`;
  yield `<p>${text(document.complaint)}</p>\n<p>${text(document.automated_decisions)}</p>\n`;
  yield '<p>The same is in <a href="export.json">export.json</a> for programs; <a href="manifest.json">manifest.json</a> has the SHA-256 of each file.</p>\n</main>\n';
  yield pageEnd;
}
