import { Buffer } from "node:buffer";
import { isHeaderName, originForm } from "../../lib/request-head.js";

import type { SignedRequest } from "../../types/signature.js";
import {
  type Dictionary,
  type FieldFault,
  type Item,
  type Parameters,
  parseDictionary,
  parseItem,
  type StructuredType,
  serializeMember,
  strictSerialization,
} from "./structured-fields.js";

/** One component that a signature covers (RFC 9421 section 2), valid for requests. */
export interface Component {
  /** Of a field in lower case; of a derived component with its `@`. */
  readonly name: string;
  /** As written in the signature base. */
  readonly identifier: string;
  /** The same for identifiers that differ in the order of their parameters alone. */
  readonly identity: string;
  /** Of a field with `key`, or the `name` of a query parameter. */
  readonly member: string | undefined;
  /** How the values of a field are written; undefined: as they came. */
  readonly form: "sf" | "bs" | undefined;
}

/** Why an identifier is not a component of a request; for the operator. */
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
  if (item.bare.type !== "string") return unusable("a covered component is not a string");
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
  return "malformed" in item ? unusable(`is not a component: ${item.malformed}`) : readComponent(item);
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
  if (!derivedNames.has(name)) return "is not a known derived component";
  for (const parameter of parameters.keys()) {
    if (parameter !== "name" || name !== "@query-param")
      return `has the parameter ${parameter}, which it cannot have`;
  }
  if (name === "@query-param" && parameters.get("name")?.type !== "string") return "names no query parameter";
  return undefined;
}

function fieldFault(name: string, parameters: Parameters): string | undefined {
  if (!isHeaderName(name)) return "is not a field name in lower case";
  for (const [parameter, { type, value }] of parameters) {
    if (parameter === "key") {
      if (type !== "string") return "has a key that is not a string";
    } else if (parameter === "sf" || parameter === "bs") {
      if (value !== true) return `has the parameter ${parameter} with a value`;
    } else if (parameter === "tr") return "is a trailer; trailers are not read";
    else if (parameter === "req") return "is the request of an answer, and this is a request itself";
    else return `has the parameter ${parameter}, which is not known`;
  }
  const isBytes = parameters.has("bs");
  if (isBytes && (parameters.has("sf") || parameters.has("key")))
    return "has bs together with a form that bs excludes";
  return undefined;
}

function unusable(reason: string): ComponentFault {
  return { unusable: reason };
}

/** Why a component has no value; for the operator. */
export interface Absence {
  readonly absent: string;
}

/** The value of a component in one request, or why there is none. */
export type ValueOf = (component: Component) => string | Absence;

/** What of a request its components are taken from. */
export type ComponentSource = Pick<SignedRequest, "method" | "url" | "publicUrl">;

/** Fields whose type is known, for `sf` (RFC 9421 section 2.1.1); those of no type here are refused with it. */
const structuredFields: ReadonlyMap<string, StructuredType> = new Map([
  ["accept-signature", "dictionary"],
  ["cache-status", "list"],
  ["cdn-cache-control", "dictionary"],
  ["client-cert", "item"],
  ["client-cert-chain", "list"],
  ["content-digest", "dictionary"],
  ["priority", "dictionary"],
  ["proxy-status", "list"],
  ["repr-digest", "dictionary"],
  ["signature", "dictionary"],
  ["signature-input", "dictionary"],
  ["want-content-digest", "dictionary"],
  ["want-repr-digest", "dictionary"],
]);

/**
 * Gives the values of components (RFC 9421 sections 2.1 and 2.2). What the configured public URL tells is never taken
 * from the request (ATTACKS E26). What was parsed once is kept, so that no list of components is dear.
 */
export function createValues(request: ComponentSource, fields: Fields): ValueOf {
  const dictionaries = new Map<string, Dictionary | FieldFault>();
  const target = targetOf(request);
  let parameters: ReadonlyMap<string, readonly string[]> | undefined;
  const memberOf = (name: string, key: string, lines: readonly string[]): ReturnType<ValueOf> => {
    const dictionary = dictionaries.get(name) ?? parseDictionary(lines.join(", "));
    dictionaries.set(name, dictionary);
    if ("malformed" in dictionary)
      return absent(`the header ${name} is not a dictionary: ${dictionary.malformed}`);
    const member = dictionary.get(key);
    if (member === undefined) return absent(`the header ${name} has no member of the covered key`);
    return serializeMember(member);
  };
  const find = (component: Component): ReturnType<ValueOf> => {
    const { name, member } = component;
    if (name === "@query-param") {
      parameters ??= queryParameters(target.query);
      return parameterValue(member as string, parameters);
    }
    if (name.startsWith("@")) return derived(name, request, target);
    const lines = fieldLines(fields, name);
    if (!Array.isArray(lines)) return lines as Absence;
    return member === undefined ? wholeField(component, lines) : memberOf(name, member, lines);
  };
  return (component) => {
    const value = find(component);
    if (typeof value !== "string" || /^[\t\x20-\x7e]*$/.test(value)) return value;
    return absent(`${component.name} holds characters outside ASCII, which cannot be signed as they are`);
  };
}

/** Header values by name in lower case, in their order. */
export type Fields = ReadonlyMap<string, readonly string[]>;

/** Sorts raw headers by their names. */
export function fieldsOf(rawHeaders: readonly string[]): Fields {
  const fields = new Map<string, string[]>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    const value = rawHeaders[at + 1] as string;
    const known = fields.get(name);
    if (known === undefined) fields.set(name, [value]);
    else known.push(value);
  }
  return fields;
}

/** The lines of a header, each as RFC 9421 section 2.1 takes it. */
export function fieldLines(fields: Fields, name: string): readonly string[] | Absence {
  const values = fields.get(name);
  if (values === undefined) return absent(`the header ${name} is missing`);
  const lines: string[] = [];
  for (const value of values) {
    const line = unfolded(value);
    if (line === undefined) return absent(`the header ${name} is broken by a line end`);
    lines.push(line);
  }
  return lines;
}

/** One line of what was folded (RFC 9112 section 5.2), without the white space around it. */
function unfolded(value: string): string | undefined {
  const lines = value.split(/\r?\n/);
  if (lines.slice(1).some((line) => !/^[ \t]/.test(line))) return undefined;
  return trimmed(lines.map(trimmed).join(" "));
}

/** Without spaces and tabs at its ends. Not `trim`, which takes more off; not a regex, which would look again and again. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === " " || character === "\t";
}

function wholeField({ name, form }: Component, lines: readonly string[]): ReturnType<ValueOf> {
  const joined = lines.join(", ");
  if (form === undefined) return joined;
  if (form === "bs") {
    return lines.map((line) => `:${Buffer.from(line, "latin1").toString("base64")}:`).join(", ");
  }
  const type = structuredFields.get(name);
  if (type === undefined) return absent(`the header ${name} is covered with sf, but its type is not known`);
  const written = strictSerialization(joined, type);
  return typeof written === "string"
    ? written
    : absent(`the header ${name} is not a valid ${type}: ${written.malformed}`);
}

/** The target of a request: as the sender called it where that is known, else as it came. */
interface Target {
  readonly path: string;
  /** With its question mark; that alone where there is no query. */
  readonly query: string;
  readonly requestTarget: string;
}

function targetOf({ url, publicUrl }: ComponentSource): Target {
  const isOriginForm = url.startsWith("/");
  const called = publicUrl === undefined ? (isOriginForm ? url : originForm(url)) : originForm(publicUrl);
  const mark = called.indexOf("?");
  const path = mark === -1 ? called : called.slice(0, mark);
  const query = mark === -1 ? "?" : called.slice(mark);
  return { path, query, requestTarget: isOriginForm ? called : url };
}

function derived(
  name: string,
  { method, publicUrl }: ComponentSource,
  { path, query, requestTarget }: Target,
): ReturnType<ValueOf> {
  if (name === "@method") return method;
  if (name === "@path") return path;
  if (name === "@query") return query;
  if (name === "@request-target") return requestTarget;
  if (publicUrl === undefined) {
    return absent(
      `${name} is covered, which the option publicUrl alone can tell: give the URL under which the sender calls you`,
    );
  }
  // The host in lower case, without the scheme's own port (RFC 9421 section 2.2.3).
  const { protocol, host } = new URL(publicUrl);
  if (name === "@authority") return host;
  return name === "@scheme" ? protocol.slice(0, -1) : `${protocol}//${host}${originForm(publicUrl)}`;
}

function queryParameters(query: string): ReadonlyMap<string, readonly string[]> {
  const parameters = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(query)) {
    const encoded = percentEncoded(name);
    const known = parameters.get(encoded);
    if (known === undefined) parameters.set(encoded, [value]);
    else known.push(value);
  }
  return parameters;
}

function parameterValue(
  name: string,
  parameters: ReadonlyMap<string, readonly string[]>,
): ReturnType<ValueOf> {
  const values = parameters.get(name) ?? [];
  const [value] = values;
  if (value === undefined) return absent("a covered query parameter is missing");
  if (values.length > 1) return absent("a covered query parameter came more than once");
  // What is no UTF-8 was decoded to this one character: different queries would be signed alike.
  if (value.includes("\ufffd") || name.includes("%EF%BF%BD"))
    return absent("a covered query parameter is no UTF-8");
  return percentEncoded(value);
}

/** The application/x-www-form-urlencoded percent-encode set, with spaces as `%20` (RFC 9421 section 2.2.8). */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function absent(reason: string): Absence {
  return { absent: reason };
}
