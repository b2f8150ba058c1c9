import type { Logger } from "hookgate";

/** For tests that do not look at the log. */
export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
