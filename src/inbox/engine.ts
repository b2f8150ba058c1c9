export { LeaseLostError } from "../lib/task-errors.js";
export type * from "../types/engine.js";
