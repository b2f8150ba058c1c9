import type { TaskError } from "../contracts/engine.js";
import type { SchemaIssue } from "../contracts/standard-schema.js";
import type { Refusal } from "../errors.js";
import { issuePaths } from "../events/issue-paths.js";
import { printable } from "../lib/printable.js";

const maxMessage = 2_000;
const maxName = 100;
const maxIssues = 20;
const maxIssue = 300;

/**
 * What is kept with a task of what its handler threw, whatever that was: the class, a code where it has one, and the
 * message, printable and cut at 2,000 characters. No stack and no cause. Never throws.
 */
export function taskErrorOf(thrown: unknown): TaskError {
  try {
    if (thrown instanceof Error) return ofError(thrown);
    const kind = thrown === null ? "null" : typeof thrown;
    if (kind === "null" || kind === "undefined") return { name: kind, message: `${kind} was thrown` };
    const message = typeof thrown === "object" ? JSON.stringify(thrown) : String(thrown);
    return { name: kind, message: printable(message ?? "", maxMessage) };
  } catch {
    return { name: "unknown", message: "what was thrown does not tell what it is" };
  }
}

function ofError(error: Error): TaskError {
  const own = String(error.name);
  // A class that sets no name of its own is called Error by its instances.
  const name = own === "Error" ? String(error.constructor?.name || own) : own;
  const code: unknown = Reflect.get(error, "code");
  const message = printable(String(error.message), maxMessage);
  const kept = { name: printable(name, maxName), message };
  return typeof code === "string" && code !== "" ? { ...kept, code: printable(code, maxName) } : kept;
}

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
