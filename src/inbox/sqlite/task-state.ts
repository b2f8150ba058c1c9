import type { TaskState } from "../../types/engine.js";

/** The states of a task as the file stores them. */
export const taskStates = { waiting: 0, blocked: 1, running: 2, done: 3, dead: 4, dropped: 5 } as const;

const names = new Map<number, TaskState>(
  (Object.keys(taskStates) as (keyof typeof taskStates)[]).map((name) => [taskStates[name], name]),
);

/** The state of a task as it is reported: one that waits after an attempt is retrying. */
export function taskStateOf({
  state,
  attempts,
}: {
  readonly state: number;
  readonly attempts: number;
}): TaskState {
  return state === taskStates.waiting && attempts > 0 ? "retrying" : (names.get(state) ?? "waiting");
}
