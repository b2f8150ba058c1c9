import type { Change, InboxEngine, Selection } from "../types/engine.js";

/** Carries out a change step by step; gives the number of tasks of each. */
export async function* changeSteps(
  engine: Pick<InboxEngine, "change">,
  selection: Selection,
  change: Omit<Change, "after">,
): AsyncGenerator<number> {
  let after: string | undefined;
  do {
    const step = await engine.change(selection, { ...change, after });
    yield step.changed;
    after = step.next;
  } while (after !== undefined);
}

/** The sum of all steps. */
export async function total(steps: AsyncIterable<number>): Promise<number> {
  let sum = 0;
  for await (const count of steps) sum += count;
  return sum;
}
