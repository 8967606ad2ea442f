/** Something that is opened when it is first needed, and kept. */
export interface OpenedOnce<Value> {
  /** Opens it, or gives what is open. Throws what the opening threw; who asks after that opens again. */
  readonly get: () => Promise<Value>;
  /** Gives what is open, or being opened, and undefined where nothing is. */
  readonly opened: () => Promise<Value | undefined>;
}

/** Opens something once, however many ask at the same time. An opening that failed is not kept. */
export function openOnce<Value>(open: () => Promise<Value>): OpenedOnce<Value> {
  let opening: Promise<Value> | undefined;
  return {
    get: async () => {
      const mine = (opening ??= open());
      try {
        return await mine;
      } catch (error) {
        if (opening === mine) opening = undefined;
        throw error;
      }
    },
    opened: async () => opening?.catch(() => undefined),
  };
}
