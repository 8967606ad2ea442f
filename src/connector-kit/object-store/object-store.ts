import type { ObjectPlace } from './name-template.ts';

/** One thing that a store keeps under a name: a version, a marker that hides versions, an upload that was never finished. */
export interface StoredObject {
  readonly name: string;
  /** The vendor's id that tells it from others of the same name. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly bytes?: number;
  /** Whether it is what is read under the name without an id. */
  readonly isCurrent: boolean;
  /** What the listing says of when it goes by itself, or may be deleted. Milliseconds since the epoch. */
  readonly until?: number;
}

/** Why a store will not delete something: a lock that is never bypassed. `until` in milliseconds since the epoch, absent where it has no end. */
export interface Lock {
  /** A code: `retention_lock_compliance`, `legal_hold`. */
  readonly why: string;
  readonly until?: number;
}

/** What became of one object that was to be deleted, as the vendor said. */
export type Removal = { readonly is: 'deleted' | 'absent' } | { readonly is: 'kept'; readonly lock: Lock } | { readonly is: 'failed'; readonly reason: unknown };

/** A page of what is stored. */
export interface ObjectPage {
  readonly objects: readonly StoredObject[];
  /** Where the next one begins; absent at the end. */
  readonly next?: string;
}

/** One of the lists in which a store shows what it holds. */
export interface ObjectList {
  /** The count's name: `versions`, `multipart_uploads`. */
  readonly name: string;
  /** `remove`: deleted. `report`: it cannot be deleted, and goes by itself. */
  readonly mode: 'remove' | 'report';
}

/** What an object holds. */
export type ObjectContent = { readonly contentType: string | undefined; readonly bytes: Buffer } | 'absent' | 'archived';

/** A store of objects at a vendor, for one step. Every call throws the vendor's failures. */
export interface ObjectStore {
  /** In the order in which they are emptied. */
  readonly lists: readonly ObjectList[];
  /** How many are deleted between two looks at the list. */
  readonly pageSize: number;
  /** A page of a list at a place, from `page` on; of an exact place nothing but that name. */
  readonly list: (list: string, place: ObjectPlace, page: string | undefined, limit: number) => Promise<ObjectPage>;
  /**
   * Deletes for good: an answer for each object, in their order. `anyKept`: something at this place could not be deleted, so what hides it must stay.
   */
  readonly remove: (list: string, place: ObjectPlace, objects: readonly StoredObject[], anyKept: boolean) => Promise<readonly Removal[]>;
  /** The list whose objects have content. */
  readonly contentList: string;
  readonly read: (place: ObjectPlace, object: StoredObject) => Promise<ObjectContent>;
}
