/** What `context.complete` hands out on the engine in memory: changes that are made when the completion is. */
export interface MemoryTransaction {
  /**
   * Calls `apply` at the commit. It may return a function that takes its change back: where a later change throws, those
   * before it are taken back, and the completion rejects with what was thrown.
   */
  run(apply: () => unknown): void;
}

/** A transaction, and what it has recorded. */
export function openTransaction(): { readonly tx: MemoryTransaction; readonly writes: (() => unknown)[] } {
  const writes: (() => unknown)[] = [];
  return {
    tx: {
      run(apply) {
        if (typeof apply !== "function") throw new TypeError("tx.run takes a function");
        writes.push(apply);
      },
    },
    writes,
  };
}

/** Makes the changes, all or none. */
export function commit(writes: readonly (() => unknown)[]): void {
  const undos: (() => unknown)[] = [];
  try {
    for (const apply of writes) {
      const undo = apply();
      if (typeof undo === "function") undos.push(undo as () => unknown);
    }
  } catch (error) {
    for (const undo of undos.reverse()) undo();
    throw error;
  }
}
