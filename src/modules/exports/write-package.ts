import { exportManifestSchema } from '../../contract/export-package.ts';
import type { Holds } from '../../contract/holds.ts';
import type { TaskId } from '../../contract/ids.ts';
import type { OpenVault } from '../identity/index.ts';
import { attachmentPath, readAttachment } from './domain/attachment.ts';
import { createDisclosures } from './domain/disclosure.ts';
import { exportDocument, filesOf, type PackageFacts } from './domain/export-document.ts';
import { indexPage } from './domain/index-page.ts';
import { notIncluded } from './domain/not-included.ts';
import { createRepetitions, type Repetitions } from './domain/repetitions.ts';
import { createSurvey, packaged, type PackagedRecord, type Survey, type SurveyedCategory } from './domain/survey.ts';
import { createPackageZip, type PackageZip, type PackedFile } from './package-zip.ts';
import type { GatheredRecord, Pages } from './pages.ts';
import type { PackageFinding, PackageSummary } from './tables.ts';

/** What a package is written from. */
export interface PackageSource {
  readonly vault: OpenVault;
  readonly pages: Pages;
  /** The tasks whose pages it is made of. */
  readonly tasks: readonly TaskId[];
  /** The systems that more than one of them read. */
  readonly readTwice: ReadonlySet<string>;
  readonly facts: PackageFacts;
  readonly holds: Readonly<Record<string, Holds>>;
  readonly titleOf: (connection: string) => string;
  readonly signal: AbortSignal;
}

/** A package that is being written: its bytes, and what is to be said of it once they are all read. */
export interface WritingPackage {
  readonly zip: PackageZip['output'];
  readonly done: Promise<{ readonly summary: PackageSummary; readonly records: number }>;
}

type Disclosures = ReturnType<typeof createDisclosures>;

/** What was decided before the first file is written, and holds for all of them. */
interface Decided {
  readonly disclose: Disclosures;
  readonly repetitions: Repetitions;
}

/** The records that go into the package, of one category or of all; pages without any are passed over. */
async function* included(source: PackageSource, { disclose, repetitions }: Decided, category?: string): AsyncGenerator<readonly GatheredRecord[]> {
  const wants = (connection: string, type: string): boolean => {
    const disclosure = disclose(connection, type);
    return disclosure.leftOut === undefined && (category === undefined || disclosure.category === category);
  };
  for await (const batch of source.pages.records(source.vault, source.tasks, wants, source.signal)) {
    yield batch.filter(({ place, type, data }) => !repetitions.has(place) && notIncluded(type, data) === undefined);
  }
}

/** The records of one category, as they go into the package. */
async function* recordsOf(source: PackageSource, decided: Decided, category: SurveyedCategory): AsyncGenerator<readonly PackagedRecord[]> {
  const { disclose } = decided;
  for await (const batch of included(source, decided, category.name)) {
    yield batch.map(({ place, type, data }) => packaged(place, type, data, disclose(place.connection, type)).record);
  }
}

async function* jsonLines(batches: AsyncIterable<readonly PackagedRecord[]>): AsyncGenerator<string> {
  for await (const batch of batches) yield batch.map((record) => `${JSON.stringify(record)}\n`).join('');
}

async function* csvLines(batches: AsyncIterable<readonly PackagedRecord[]>, { columns }: SurveyedCategory): AsyncGenerator<string> {
  // The mark by which spreadsheets know UTF-8.
  yield `\uFEFF${columns.header()}`;
  for await (const batch of batches) yield batch.map(({ system, type, data }) => columns.row(system, type, data)).join('');
}

/** The manifest, piece by piece. */
function* manifestOf(files: readonly PackedFile[]): Generator<string> {
  const { format, version } = exportManifestSchema.shape;
  yield `{"format":${JSON.stringify(format.value)},"version":${version.value},"files":[`;
  for (const [index, file] of files.entries()) yield `${index === 0 ? '' : ','}\n${JSON.stringify(file)}`;
  yield ']}\n';
}

async function surveyOf(source: PackageSource, { disclose, repetitions }: Decided): Promise<Survey> {
  const survey = createSurvey(source.titleOf);
  for await (const batch of source.pages.records(source.vault, source.tasks, () => true, source.signal)) {
    for (const record of batch) survey.add(record.place, record, disclose(record.place.connection, record.type), repetitions.note(record.place, record.line));
  }
  repetitions.end();
  return survey;
}

async function addAttachments(source: PackageSource, decided: Decided, zip: PackageZip, files: PackedFile[]): Promise<void> {
  for await (const batch of included(source, decided)) {
    for (const { place, type, data } of batch) {
      decided.disclose(place.connection, type).redact(data);
      const attachment = readAttachment(data);
      if (attachment !== undefined) files.push(await zip.add(attachmentPath(place, attachment.filename), [Buffer.from(attachment.base64, 'base64')]));
    }
  }
}

function findingsOf(survey: Survey): readonly PackageFinding[] {
  const undeclared = [...survey.categories.values()].flatMap(({ sources }) => [...sources.values()].filter((source) => !source.declared));
  return undeclared.map(({ system, type, records }) => ({ code: 'type_not_declared', system, type, records }));
}

async function write(source: PackageSource, zip: PackageZip): Promise<{ readonly summary: PackageSummary; readonly records: number }> {
  const { facts } = source;
  const decided: Decided = { disclose: createDisclosures(facts.right, source.holds), repetitions: createRepetitions(source.readTwice) };
  const survey = await surveyOf(source, decided);
  const files: PackedFile[] = [];
  for (const category of [...survey.categories.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (category.inline !== undefined) continue;
    const { jsonl, csv } = filesOf(category);
    files.push(await zip.add(jsonl, jsonLines(recordsOf(source, decided, category))));
    files.push(await zip.add(csv, csvLines(recordsOf(source, decided, category), category)));
  }
  if ([...survey.categories.values()].some(({ attachments }) => attachments > 0)) await addAttachments(source, decided, zip, files);
  const document = exportDocument(facts, survey);
  files.push(await zip.add('export.json', [`${JSON.stringify(document, null, 1)}\n`]));
  files.push(await zip.add('index.html', indexPage(document)));
  await zip.add('manifest.json', manifestOf(files));
  zip.end();
  const categories = Object.fromEntries([...survey.categories.values()].map(({ name, records }) => [name, records]));
  const leftOut = [...survey.leftOut.values()].reduce((sum, { records }) => sum + records, 0);
  return {
    summary: { categories, left_out: leftOut, files: files.length + 1, findings: findingsOf(survey).slice(0, 1000) },
    records: Object.values(categories).reduce((sum, records) => sum + records, 0),
  };
}

/**
 * Writes a package: looks at every page once to know its categories, and then once for each file, so that no more than a page is in memory. The
 * same pages give the same bytes.
 */
export function writePackage(source: PackageSource): WritingPackage {
  const zip = createPackageZip(new Date(source.facts.generatedAt));
  const done = write(source, zip);
  done.catch((error: unknown) => zip.fail(error));
  return { zip: zip.output, done };
}
