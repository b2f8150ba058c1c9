import type { Refusal } from "../errors.js";
import { issuePaths } from "../events/schemas.js";
import { printable } from "../lib/printable.js";
import type { TaskError } from "../types/engine.js";
import type { SchemaIssue } from "../types/standard-schema.js";

const maxMessage = 2_000;
const maxIssues = 20;
const maxIssue = 300;

/**
 * The stored error of data that breaks its schema or can no longer be read: ERR_EVENT_INVALID with at most 20 issues. Received
 * values are cut out of the messages, since they quote the body.
 */
export function invalidDataError(refusal: Refusal): TaskError {
  const error = {
    name: "EventInvalidError",
    code: "ERR_EVENT_INVALID",
    message: printable(refusal.reason, maxMessage),
  };
  return Array.isArray(refusal.cause)
    ? { ...error, issues: issueLines(refusal.cause as SchemaIssue[]) }
    : error;
}

function issueLines(issues: readonly SchemaIssue[]): string[] {
  const lines = issues.slice(0, maxIssues).map((issue) => {
    const message = withoutValues(String(issue.message));
    return `${issuePaths([issue])[0] ?? "(root)"}: ${printable(message, maxIssue)}`;
  });
  const more = issues.length - lines.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

/** `received "secret"`, `(was "secret")`: valibot and arktype say so. */
function withoutValues(message: string): string {
  return message.replace(
    /\b(received|was|got) ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|-?\d[\w.]*)/g,
    "$1 ...",
  );
}

/** Fails a run whose stored data breaks the schema. */
export class InvalidData extends Error {
  /** ERR_EVENT_INVALID, or why the bytes could not be read. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.name = "InvalidData";
    this.refusal = refusal;
  }
}
