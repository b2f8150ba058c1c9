import type { Item, Parameters } from "./structured-fields.js";
import { parseItem, serializeMember } from "./structured-fields.js";

/** One component that a signature covers (RFC 9421 section 2), valid for requests. */
export interface Component {
  /** Of a field in lower case; of a derived component with its `@`. */
  readonly name: string;
  /** As it stands in the signature base. */
  readonly identifier: string;
  /** The same for identifiers that differ in the order of their parameters alone. */
  readonly identity: string;
  /** Of a field with `key`, or the `name` of a query parameter. */
  readonly member: string | undefined;
  /** How the values of a field are written; undefined: as they came. */
  readonly form: "sf" | "bs" | undefined;
}

/** Why an identifier is no component of a request; for the operator. */
export interface ComponentFault {
  readonly unusable: string;
}

/** Derived components of requests (RFC 9421 section 2.2). `@status` belongs to answers, and nothing covers `@signature-params`. */
const derivedNames: ReadonlySet<string> = new Set([
  "@method",
  "@target-uri",
  "@authority",
  "@scheme",
  "@request-target",
  "@path",
  "@query",
  "@query-param",
]);

/** What the configured public URL alone can tell. */
const publicNames: ReadonlySet<string> = new Set(["@target-uri", "@authority", "@scheme"]);

/** What says a component as well as itself: who signed the whole has signed its part. */
const wholes: ReadonlyMap<string, readonly string[]> = new Map([
  ["@authority", ["@target-uri"]],
  ["@scheme", ["@target-uri"]],
  ["@path", ["@target-uri", "@request-target"]],
  ["@query", ["@target-uri", "@request-target"]],
  ["@query-param", ["@target-uri", "@request-target", "@query"]],
]);

/** Reads the identifier of a component in a request (RFC 9421 sections 2 and 2.5). */
export function readComponent(item: Item): Component | ComponentFault {
  if (item.bare.type !== "string") return unusable("a covered component is no string");
  const name = item.bare.value;
  const identifier = serializeMember(item);
  const fault = name.startsWith("@")
    ? derivedFault(name, item.parameters)
    : fieldFault(name, item.parameters);
  if (fault !== undefined) return unusable(`${identifier.slice(0, 100)} ${fault}`);
  const { parameters } = item;
  const member = parameters.get("key") ?? parameters.get("name");
  return {
    name,
    identifier,
    identity: [name, ...[...parameters].map((entry) => JSON.stringify(entry)).sort()].join("\n"),
    member: member?.type === "string" ? member.value : undefined,
    form: parameters.has("bs") ? "bs" : parameters.has("sf") ? "sf" : undefined,
  };
}

/**
 * Reads a component as an option names it: `"@method"`, `"content-type"`, or a whole identifier such as
 * `'"@query-param";name="id"'`.
 */
export function parseComponent(text: string): Component | ComponentFault {
  const item = parseItem(text.startsWith('"') ? text : `"${text.toLowerCase()}"`);
  return "malformed" in item ? unusable(`is no component: ${item.malformed}`) : readComponent(item);
}

/** Whether a component can be told only where the public URL is configured (ATTACKS E26). */
export function needsPublicUrl({ name }: Component): boolean {
  return publicNames.has(name);
}

/** Whether what a signature covers says all of a component that is required. */
export function isCovered(required: Component, covered: readonly Component[]): boolean {
  const { name, identity, form } = required;
  return covered.some((component) => {
    if (component.identity === identity) return true;
    if (name.startsWith("@")) return wholes.get(name)?.includes(component.name) === true;
    // A whole field says its members in any form; nothing but `bs` tells its lines apart.
    return component.name === name && component.member === undefined && form !== "bs";
  });
}

function derivedFault(name: string, parameters: Parameters): string | undefined {
  if (name === "@status") return "belongs to answers, not to requests";
  if (!derivedNames.has(name)) return "is no derived component that is known";
  for (const parameter of parameters.keys()) {
    if (parameter !== "name" || name !== "@query-param")
      return `has the parameter ${parameter}, which it cannot have`;
  }
  if (name === "@query-param" && parameters.get("name")?.type !== "string") return "names no query parameter";
  return undefined;
}

function fieldFault(name: string, parameters: Parameters): string | undefined {
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return "is no field name in lower case";
  for (const [parameter, { type, value }] of parameters) {
    if (parameter === "key") {
      if (type !== "string") return "has a key that is no string";
    } else if (parameter === "sf" || parameter === "bs") {
      if (value !== true) return `has the parameter ${parameter} with a value`;
    } else if (parameter === "tr") return "is a trailer; trailers are not read";
    else if (parameter === "req") return "is the request of an answer, and this is a request itself";
    else return `has the parameter ${parameter}, which is not known`;
  }
  const isBytes = parameters.has("bs");
  if (isBytes && (parameters.has("sf") || parameters.has("key")))
    return "has bs beside a form that bs excludes";
  return undefined;
}

function unusable(reason: string): ComponentFault {
  return { unusable: reason };
}
