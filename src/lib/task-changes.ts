import type { Change, TaskState } from "../types/engine.js";

/** The states that each action takes. */
export const changeableStates = {
  retry: ["waiting", "retrying"],
  replay: ["done", "dead", "dropped"],
  drop: ["waiting", "retrying", "blocked", "dead"],
} as const satisfies Readonly<Record<Change["action"], readonly TaskState[]>>;

/** Those that it takes where none are named. What is done does not run again unless that is said. */
export const defaultStates: Readonly<Record<Change["action"], readonly TaskState[]>> = {
  retry: changeableStates.retry,
  replay: ["dead"],
  drop: changeableStates.drop,
};
