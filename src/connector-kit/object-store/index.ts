export { eraseObjects, type EraseOptions } from './erase-objects.ts';
export { exportObjects } from './export-objects.ts';
export { confirmNoObjects, countObjects, locateObjects } from './find-objects.ts';
export { kindsOf, objectTemplateSchema, placesOf, prefixTemplateSchema, type ObjectNames, type ObjectPlace } from './name-template.ts';
export type { Lock, ObjectContent, ObjectList, ObjectPage, ObjectStore, Removal, StoredObject } from './object-store.ts';
