import type { ExportSource, LeftOutReason } from '../../../contract/export-package.ts';
import { createCsvColumns, type CsvColumns } from './csv.ts';
import { attachmentPath, readAttachment, withoutContent, type RecordPlace } from './attachment.ts';
import type { Disclosure } from './disclosure.ts';
import { notIncluded } from './not-included.ts';
import type { Repetitions } from './repetitions.ts';

/** A category with more records than this has files of its own. */
export const inlineRecordsMax = 100;
/** A category whose records are longer than this, as JSON, has files of its own: 64 KiB. */
export const inlineCharactersMax = 64 * 1024;
/** What all small categories together may take of `export.json`: 4 MiB. Later ones have files of their own. */
const inlineTotalMax = 4 * 1024 * 1024;

/** A record as it goes into the package. */
export interface PackagedRecord {
  readonly system: string;
  readonly type: string;
  readonly data: unknown;
}

/** What is known of a category after every page was looked at once. */
export interface SurveyedCategory {
  readonly name: string;
  records: number;
  repetitions: number;
  /** Whether there were too many records to find every repetition. */
  mayRepeat: boolean;
  attachments: number;
  readonly columns: CsvColumns;
  /** By system and type. */
  readonly sources: Map<string, { -readonly [Key in keyof ExportSource]: ExportSource[Key] }>;
  /** The records, as long as they are few; undefined once they have files of their own. */
  inline: PackagedRecord[] | undefined;
  inlineCharacters: number;
}

/** Records that are not in the package. */
export interface LeftOut {
  readonly category: string;
  readonly system: string;
  readonly type: string;
  records: number;
  readonly reason: LeftOutReason;
  readonly detail: string;
}

/** What is known of everything that was gathered, with no more of it in memory than the small categories. */
export interface Survey {
  readonly categories: Map<string, SurveyedCategory>;
  readonly leftOut: Map<string, LeftOut>;
  /** Adds one record, or counts it where it is a repetition or is left out. The record is changed by its redaction. */
  readonly add: (place: RecordPlace, record: { readonly type: string; readonly data: unknown }, disclosure: Disclosure, noted: ReturnType<Repetitions['note']>) => void;
}

/** Gives a record as it goes into the package: redacted, and with its file's place instead of the file. Changes `data`. */
export function packaged(place: RecordPlace, type: string, data: unknown, disclosure: Disclosure): { readonly record: PackagedRecord; readonly redactions: number; readonly isAttachment: boolean } {
  const redactions = disclosure.redact(data);
  const attachment = readAttachment(data);
  const kept = attachment === undefined ? data : withoutContent(data, attachmentPath(place, attachment.filename));
  return { record: { system: place.connection, type, data: kept }, redactions, isAttachment: attachment !== undefined };
}

function newCategory(name: string): SurveyedCategory {
  return { name, records: 0, repetitions: 0, mayRepeat: false, attachments: 0, columns: createCsvColumns(), sources: new Map(), inline: [], inlineCharacters: 0 };
}

function newSource(place: RecordPlace, type: string, title: string, { hold }: Disclosure): ExportSource {
  const declared =
    hold === undefined
      ? {}
      : { purpose: hold.purpose, legal_basis: hold.legal_basis, retention: hold.retention, recipients: hold.recipients, transfers: hold.transfers, provided_by_subject: hold.provided_by_subject };
  return { system: place.connection, title, type, records: 0, redactions: 0, declared: hold !== undefined, ...declared };
}

/** Makes an empty survey; `titleOf` names a system for people. */
export function createSurvey(titleOf: (connection: string) => string): Survey {
  const categories = new Map<string, SurveyedCategory>();
  const leftOut = new Map<string, LeftOut>();
  let inlineTotal = 0;

  const keepInline = (category: SurveyedCategory, record: PackagedRecord): void => {
    if (category.inline === undefined) return;
    const characters = JSON.stringify(record).length;
    const fits = category.records <= inlineRecordsMax && category.inlineCharacters + characters <= inlineCharactersMax && inlineTotal + characters <= inlineTotalMax;
    if (fits) {
      category.inline.push(record);
      category.inlineCharacters += characters;
      inlineTotal += characters;
    } else {
      inlineTotal -= category.inlineCharacters;
      category.inline = undefined;
    }
  };

  return {
    categories,
    leftOut,
    add: (place, { type, data }, disclosure, noted) => {
      const key = `${place.connection}\n${type}`;
      const why = notIncluded(type, data) ?? disclosure.leftOut;
      if (why !== undefined) {
        if (noted === 'repeated') return;
        const leftKey = `${key}\n${why.reason}`;
        const left = leftOut.get(leftKey) ?? { category: disclosure.category, system: place.connection, type, records: 0, ...why };
        left.records += 1;
        leftOut.set(leftKey, left);
        return;
      }
      const category = categories.get(disclosure.category) ?? newCategory(disclosure.category);
      categories.set(disclosure.category, category);
      if (noted === 'repeated') {
        category.repetitions += 1;
        return;
      }
      if (noted === 'unknown') category.mayRepeat = true;
      const source = category.sources.get(key) ?? newSource(place, type, titleOf(place.connection), disclosure);
      category.sources.set(key, source);
      const { record, redactions, isAttachment } = packaged(place, type, data, disclosure);
      source.records += 1;
      source.redactions += redactions;
      category.records += 1;
      if (isAttachment) category.attachments += 1;
      category.columns.note(record.data);
      keepInline(category, record);
    },
  };
}
