import type { Refusal } from "../errors.js";
import { isObject } from "../lib/json.js";
import { describe, OptionError } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { MaybePromise } from "../types/credential.js";
import type { TaskError } from "../types/engine.js";
import type { SchemaIssue, SchemaResult, StandardSchema } from "../types/standard-schema.js";
import { isUncheckedTypes } from "./event-map.js";

/** What became of an event's data: the schema's output, or its issues, which may quote the data. */
export type Validation =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] };

/** The event types that a receiver knows. */
export interface Catalog {
  /** The types in the order given; undefined where any type comes in, unchecked. */
  readonly types: readonly string[] | undefined;
  /** Whether the receiver takes this type. Without `types`: whether it has 1 to 200 characters. */
  has(type: string): boolean;
  /**
   * Runs the type's schema. Only a schema that answers later makes this a promise. What a schema throws passes
   * through: that is a fault in the schema and says nothing about the data. A type that `has` denies is not ok.
   */
  validate(type: string, data: unknown): MaybePromise<Validation>;
}

/**
 * The catalog of the option `events`: schemas by event type, `uncheckedTypes()`, or left out.
 * Throws a TypeError where a name or a schema cannot be used; `where` is the option's name.
 */
export function createCatalog(events: unknown, where: string): Catalog {
  if (events === undefined || isUncheckedTypes(events)) return openCatalog;
  const schemas = readSchemas(events, where);
  return Object.freeze({
    types: Object.freeze([...schemas.keys()]),
    has: (type: string) => schemas.has(type),
    validate: (type: string, data: unknown) => {
      const schema = schemas.get(type);
      if (schema === undefined) return unknownType;
      const result = schema.validate(data);
      return "then" in result ? Promise.resolve(result).then(toValidation) : toValidation(result);
    },
  });
}

const openCatalog: Catalog = Object.freeze({
  types: undefined,
  has: (type: string) => type !== "" && type.length <= maxTypeLength,
  validate: (_type: string, data: unknown) => ({ ok: true, value: data }) as const,
});

const unknownType: Validation = Object.freeze({
  ok: false,
  issues: Object.freeze([{ message: "the event type is not one of the receiver's" }]),
});

/** An empty list of issues is a no as well: Standard Schema tells the two results apart by its presence. */
function toValidation(result: SchemaResult<unknown>): Validation {
  return result.issues ? { ok: false, issues: result.issues } : { ok: true, value: result.value };
}

type Validator = Pick<StandardSchema["~standard"], "validate">;

const example = `{ "order.paid": schema }`;

/** A Map, because the types of deliveries come from outside (ATTACKS G01). */
function readSchemas(events: unknown, where: string): ReadonlyMap<string, Validator> {
  if (typeof events === "function" || (isObject(events) && "~standard" in events)) {
    throw new OptionError(where, ` is a schema or function itself; name the event it is for: ${example}`);
  }
  if (!isObject(events)) {
    throw new OptionError(
      where,
      ` must be an object of event types and their schemas, as in ${example}, not ${describe(events)}; leave it out to take any type`,
    );
  }
  const schemas = new Map<string, Validator>();
  for (const [type, schema] of Object.entries(events)) {
    const fault = typeNameFault(type) ?? (type.includes("*") ? starInType(type) : undefined);
    if (fault !== undefined) throw new OptionError(where, `: ${fault}`);
    schemas.set(type, readSchema(schema, `${where}[${quoted(type)}]`));
  }
  if (schemas.size === 0) {
    throw new OptionError(
      where,
      ` names no event type; write ${example}, or leave it out to take any type unchecked`,
    );
  }
  return schemas;
}

function starInType(type: string): string {
  return `the event type ${quoted(type)} holds "*", which only patterns given to "on" may; name each type`;
}

function readSchema(schema: unknown, where: string): Validator {
  if (!(isObject(schema) || typeof schema === "function") || !("~standard" in schema)) {
    const found = isObject(schema) ? 'an object without "~standard"' : describe(schema);
    throw new OptionError(
      where,
      ` must be a Standard Schema (zod 3.24+, valibot 1+, arktype 2+), not ${found}; for types without run-time checks use events: uncheckedTypes<{ … }>()`,
    );
  }
  const standard: unknown = schema["~standard"];
  if (!isObject(standard) || !("validate" in standard) || typeof standard.validate !== "function") {
    throw new OptionError(where, `["~standard"] has no "validate"; use a schema library's own schema`);
  }
  if (!("version" in standard) || standard.version !== 1) {
    throw new OptionError(
      where,
      ` uses a version of Standard Schema other than 1; use a release that supports version 1`,
    );
  }
  return standard as Validator;
}

/** The longest event type, in characters. */
export const maxTypeLength = 200;

/** A TypeError's words on why `name` cannot be an event type, or undefined where it can. */
export function typeNameFault(name: unknown): string | undefined {
  if (typeof name !== "string" || name === "") {
    return `an event type must be a string that is not empty, not ${describe(name)}`;
  }
  if (name.length > maxTypeLength) {
    return `the event type "${printable(name, 40)}" is longer than ${maxTypeLength} characters`;
  }
  if (name.trim() !== name || /\p{Cc}/u.test(name)) {
    return `the event type "${printable(name)}" holds a control character, or white space at its ends; remove it`;
  }
  return undefined;
}

/** An event type in quotes, fit for a message. */
export function quoted(name: string): string {
  return `"${printable(name)}"`;
}

const maxPaths = 10;

/**
 * Where a schema found fault, for a log line: `["total", "items.0.sku"]`, each path once, at most ten, escaped and
 * cut at 100 characters; `"(root)"` stands for the data as a whole. Messages are left out, for they may quote the
 * data (ATTACKS I01, I02).
 */
export function issuePaths(issues: readonly SchemaIssue[]): readonly string[] {
  const paths = new Set<string>();
  for (const { path } of issues) {
    if (paths.size === maxPaths) break;
    // Not path.map: arktype's paths are a subclass of Array that map would make one entry too many of.
    const keys = Array.from(path ?? [], (segment) =>
      String(typeof segment === "object" ? segment.key : segment),
    );
    paths.add(keys.length === 0 ? "(root)" : printable(keys.join(".")));
  }
  return [...paths];
}

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
