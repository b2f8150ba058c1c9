import type { TaskState } from "../../types/engine.js";

/** By the numbers of schema.ts. */
const states: readonly TaskState[] = ["waiting", "blocked", "running", "done", "dead", "dropped"];

/** The state of a task as it is told: what waits after an attempt is retrying. */
export function taskStateOf({
  state,
  attempts,
}: {
  readonly state: number;
  readonly attempts: number;
}): TaskState {
  return state === 0 && attempts > 0 ? "retrying" : (states[state] ?? "waiting");
}
