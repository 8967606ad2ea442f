import { z } from 'zod';
import { Failure } from '../../platform/failure.ts';
import type { ExportContext, ExportedRecord, ExportPage, Json } from '../connector.ts';
import type { ObjectPlace } from './name-template.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';

/** Larger objects are named and not copied: a page of an export is held in memory. */
const contentBytesMax = 5 * 1024 * 1024;
/** What a page's contents may be, before base64 makes them a third larger: a page is at most 8 MiB. */
const pageContentBytes = contentBytesMax;
const pageRecords = 200;

const resumeSchema = z.strictObject({
  place: z.int().nonnegative(),
  page: z.string().optional(),
  /** The last object given of the page. */
  last: z.strictObject({ name: z.string(), id: z.string() }).optional(),
});
type Resume = z.output<typeof resumeSchema>;

/**
 * Gives a person's objects, older versions too, place after place: each with its name and what it holds, as base64. Those over 5 MiB, and archived ones, are
 * named as `object_not_included`, with the reason as `not_included`. Each page says from where the export goes on; what is deleted meanwhile makes nothing else be left out.
 */
export async function* exportObjects(context: ExportContext, store: ObjectStore, places: readonly ObjectPlace[]): AsyncGenerator<ExportPage> {
  const kept = context.cursor === null ? undefined : resumeSchema.safeParse(context.cursor);
  if (kept?.success === false) throw new Failure('INTERNAL', 'The kept place of an export is not one of an export of objects');
  let at: Resume = kept?.data ?? { place: 0 };
  for (let place = places[at.place]; place !== undefined; place = places[at.place]) {
    const page = await store.list(store.contentList, place, at.page, pageRecords);
    const objects = remaining(page.objects, at.last);
    let records: ExportedRecord[] = [];
    let bytes = 0;
    let last: StoredObject | undefined;
    for (const object of objects) {
      const size = object.bytes ?? 0;
      if (records.length > 0 && size <= contentBytesMax && bytes + size > pageContentBytes && last !== undefined) {
        yield { records, resume: toJson({ ...at, last: { name: last.name, id: last.id } }) };
        [records, bytes] = [[], 0];
      }
      const record = await recordOf(store, place, object);
      last = object;
      if (record === undefined) continue;
      records.push(record);
      if (size <= contentBytesMax) bytes += size;
    }
    at = page.next === undefined ? { place: at.place + 1 } : { place: at.place, page: page.next };
    if (records.length > 0) yield { records, resume: toJson(at) };
  }
}

/** What comes after the last object that was given. Where that one is gone, its whole name is given again rather than one left out. */
function remaining(objects: readonly StoredObject[], last: Resume['last']): readonly StoredObject[] {
  if (last === undefined) return objects;
  const index = objects.findIndex(({ name, id }) => name === last.name && id === last.id);
  if (index >= 0) return objects.slice(index + 1);
  const mark = Buffer.from(last.name);
  return objects.filter(({ name }) => Buffer.compare(Buffer.from(name), mark) >= 0);
}

async function recordOf(store: ObjectStore, place: ObjectPlace, object: StoredObject): Promise<ExportedRecord | undefined> {
  const { name, bytes, at, isCurrent } = object;
  const about = { key: name, filename: name.split('/').at(-1) ?? name, size: bytes ?? null, last_modified: new Date(at).toISOString(), ...(isCurrent ? {} : { older_version: true }) };
  if ((bytes ?? 0) > contentBytesMax) return { type: 'object_not_included', data: { ...about, not_included: 'too_large' } };
  const content = await store.read(place, object);
  if (content === 'absent') return undefined;
  if (content === 'archived') return { type: 'object_not_included', data: { ...about, not_included: 'archived' } };
  return { type: 'object', data: { ...about, content_type: content.contentType ?? null, base64: content.bytes.toString('base64') } };
}

const toJson = (resume: Resume): Json => JSON.parse(JSON.stringify(resume)) as Json;
