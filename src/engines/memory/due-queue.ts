import type { StoredTask } from "./model.js";

interface Entry {
  readonly task: StoredTask;
  readonly dueMs: number;
}

/** Waiting tasks, the one due first in front; of those due at once the oldest. A task that was taken out stays as a husk. */
export class DueQueue {
  readonly #heap: Entry[] = [];

  add(task: StoredTask): void {
    const heap = this.#heap;
    let at = heap.length;
    const entry = { task, dueMs: task.dueMs };
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The task in front; left where it is. */
  first(): StoredTask | undefined {
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined) return undefined;
      if (entry.task.queued && entry.task.dueMs === entry.dueMs) return entry.task;
      this.#removeFirst();
    }
  }

  /** Takes out the task in front, where it is due. */
  takeDue(nowMs: number): StoredTask | undefined {
    const task = this.first();
    if (task === undefined || task.dueMs > nowMs) return undefined;
    this.#removeFirst();
    task.queued = false;
    return task;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const child = at * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      const rightIsFirst = right !== undefined && isBefore(right, left);
      const first = rightIsFirst ? right : left;
      if (!isBefore(first, last)) break;
      heap[at] = first;
      at = rightIsFirst ? child + 1 : child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs === b.dueMs ? a.task.event.number < b.task.event.number : a.dueMs < b.dueMs;
}
