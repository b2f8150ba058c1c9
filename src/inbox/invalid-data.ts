import type { Refusal } from "../errors.js";
import { issuePaths } from "../events/issue-paths.js";
import { printable } from "../lib/printable.js";
import type { TaskError } from "../types/engine.js";
import type { SchemaIssue } from "../types/standard-schema.js";

const maxMessage = 2_000;
const maxIssues = 20;
const maxIssue = 300;

/**
 * What is kept where the data of an event breaks its schema, or could not be read any more: ERR_EVENT_INVALID with where
 * and how, at most 20 issues. What a message says that it received is left out: it quotes the body.
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

/** What a run fails with whose stored data breaks the schema. */
export class InvalidData extends Error {
  /** ERR_EVENT_INVALID, or what else kept the bytes from being read. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.name = "InvalidData";
    this.refusal = refusal;
  }
}
