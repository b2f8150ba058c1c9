import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import type { AnyEventMap } from "../../types/event.js";
import type { SignatureScheme } from "../../types/signature.js";
import type { BodyKind, CredentialPlaces, Source, SourceAuth } from "../../types/source.js";
import type { StandardSchema } from "../../types/standard-schema.js";
import { deadlineOption } from "../settings.js";
import { type CustomEventsOptions, resolveEvents } from "./events.js";
import type { CustomSignatureCheck, CustomSignatureOptions } from "./signature.js";
import { headerName, resolveSignature } from "./signature.js";

export type * from "../../types/signature.js";
export type * from "../../types/source.js";
export type { CustomEventsOptions, CustomLocator } from "./events.js";
export type { CustomSignatureCheck, CustomSignatureOptions } from "./signature.js";

/** Options of `customSource`. */
export interface CustomSourceOptions<EventMap = AnyEventMap> extends CustomEventsOptions {
  /** Stable: part of what the inbox tells events apart by. Letters, digits, `.`, `_` and `-`, 64 at most. */
  readonly name: string;
  /** Kinds of body that the sender uses, by their usual content types. Default: `["json"]`. */
  readonly bodies?: readonly BodyKind[] | undefined;
  /** Further content types, in lower case without parameters, and how their bodies are read. */
  readonly mediaTypes?: Readonly<Record<string, BodyKind>> | undefined;
  /** Headers that handlers or functions read later; those that `type` and `id` name are kept anyway. Never a credential's. */
  readonly headers?: readonly string[] | undefined;
  /** How deliveries are signed, or a check of your own. */
  readonly signature?: CustomSignatureOptions | CustomSignatureCheck | undefined;
  /** Tokens that the sender brings; takes the place of the receiver's option `auth`. */
  readonly auth?: SourceAuth | undefined;
  /** Where the sender puts credentials of the receiver's option `auth` in addition to the usual places. */
  readonly credentialPlaces?: CredentialPlaces | undefined;
  /** Schemas of the data by event type, where the receiver's option `events` is left out. */
  readonly schemas?: Readonly<Record<string, StandardSchema>> | undefined;
  /** `id` where the sender changes the body on a retry. Default: `id-and-body`. */
  readonly deduplicateBy?: "id" | "id-and-body" | undefined;
  /** How long the sender waits for the answer, "100ms" to "10m": look it up. Default: "10s". */
  readonly deadline?: Duration | undefined;
  /** Answers what is no delivery, such as a challenge: see `Source.handshake`. */
  readonly handshake?: Source["handshake"];
  /** The answer that the sender understands; undefined: the usual one. */
  readonly answer?: Source["answer"];
  /** An event as the sender would send it, for tests and `hookgate send`. Default: from `type`, `id`, `data` and `each`. */
  readonly compose?: Source["compose"];
  /** Path and query that the sender calls with a body, where it adds to them; for tests and `hookgate send`. */
  readonly composeUrl?: Source["composeUrl"];
  /** Never there at run time: carries `EventMap` for the compiler. */
  readonly types?: EventMap | undefined;
}

const known = optionKeys<CustomSourceOptions>({
  name: true,
  bodies: true,
  mediaTypes: true,
  headers: true,
  type: true,
  id: true,
  data: true,
  each: true,
  events: true,
  signature: true,
  auth: true,
  credentialPlaces: true,
  schemas: true,
  deduplicateBy: true,
  deadline: true,
  handshake: true,
  answer: true,
  compose: true,
  composeUrl: true,
  types: true,
});

const kinds: readonly BodyKind[] = ["json", "form", "xml", "bytes", "empty"];

/** Headers that are credentials for any sender; an inbox would write them down. */
const credentials: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "key",
  "proxy-authorization",
  "x-api-key",
]);

/**
 * A source for a sender that has none here: where its events are and how it signs, declared. Everything that cannot be
 * meant is a TypeError that names the option and the fix. The guide `docs/guides/custom-source.md` shows a dozen providers.
 *
 * @example
 * createReceiver({
 *   name: "billing",
 *   source: customSource({
 *     name: "paddle",
 *     type: "event_type",
 *     id: "event_id",
 *     signature: {
 *       header: "Paddle-Signature",
 *       parts: { separator: ";" },
 *       timestamp: { part: "ts" },
 *       prefix: "h1",
 *       signed: "{timestamp}:{body}",
 *       secret: process.env.PADDLE_SECRET,
 *     },
 *     deadline: "5s",
 *   }),
 * });
 */
export function customSource<EventMap = AnyEventMap>(
  options: CustomSourceOptions<EventMap>,
): Source<EventMap> {
  const where = "customSource";
  assertOptions(options, known, where);
  const given: Record<string, unknown> = options;
  const { events, headers, compose } = resolveEvents(given, where);
  const signature = own(given, "signature");
  const scheme = signature === undefined ? undefined : resolveSignature(signature, `${where}.signature`);
  return {
    name: nameOption(own(given, "name"), `${where}.name`),
    bodies: bodiesOption(own(given, "bodies"), `${where}.bodies`),
    mediaTypes: mediaTypesOption(own(given, "mediaTypes"), `${where}.mediaTypes`),
    headers: headersOption(headers, own(given, "headers"), scheme, where),
    events,
    schemas: objectOption<Source["schemas"]>(own(given, "schemas"), `${where}.schemas`),
    auth: objectOption<SourceAuth>(own(given, "auth"), `${where}.auth`),
    credentialPlaces: objectOption<CredentialPlaces>(
      own(given, "credentialPlaces"),
      `${where}.credentialPlaces`,
    ),
    signature: scheme,
    deduplicateBy: choiceOption<"id" | "id-and-body">(
      own(given, "deduplicateBy"),
      `${where}.deduplicateBy`,
      ["id", "id-and-body"],
      "id-and-body",
    ),
    deadline: deadlineOption(given, where),
    ...functionOption("handshake", given, where),
    ...functionOption("answer", given, where),
    ...(compose === undefined ? {} : { compose }),
    ...functionOption("compose", given, where),
    ...functionOption("composeUrl", given, where),
  };
}

function nameOption(value: unknown, where: string): string {
  const name = stringOption(value, where);
  if (/^[\w.-]{1,64}$/.test(name)) return name;
  throw new OptionError(where, ` must have 1 to 64 letters, digits, ".", "_" and "-" alone`);
}

function bodiesOption(value: unknown, where: string): readonly BodyKind[] {
  if (value === undefined) return ["json"];
  if (Array.isArray(value) && value.length > 0)
    return value.map((kind, at) => kindOf(kind, `${where}[${at}]`));
  throw new OptionError(where, ` must be a list of kinds such as ["json", "form"], not ${describe(value)}`);
}

function kindOf(value: unknown, where: string): BodyKind {
  // An empty string is no kind: one must be given.
  return choiceOption<BodyKind | "">(value ?? "", where, kinds, "") as BodyKind;
}

function mediaTypesOption(value: unknown, where: string): Source["mediaTypes"] {
  const given = objectOption<Record<string, unknown>>(value, where);
  if (given === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(given).map(([type, kind]) => {
      if (!/^[!#$&\-^_.+0-9a-z]+\/[!#$&\-^_.+0-9a-z]+$/.test(type)) {
        throw new OptionError(where, ` names "${type}": give media types in lower case without parameters`);
      }
      return [type, kindOf(kind, `${where}["${type}"]`)];
    }),
  );
}

function headersOption(
  located: readonly string[],
  value: unknown,
  scheme: SignatureScheme | undefined,
  where: string,
): readonly string[] {
  if (value !== undefined && !Array.isArray(value)) {
    throw new OptionError(`${where}.headers`, ` must be a list of names, not ${describe(value)}`);
  }
  const further = (value ?? []).map((name: unknown, at: number) =>
    headerName(name, `${where}.headers[${at}]`),
  );
  const signatures = scheme?.kind === "header" ? scheme.headers.map(({ signature }) => signature) : [];
  const names = new Set<string>([...located, ...further]);
  for (const name of names) {
    if (!credentials.has(name) && !signatures.includes(name)) continue;
    throw new OptionError(
      where,
      ` reads the header ${name}, which is a credential or signature: an inbox would keep it`,
    );
  }
  return [...names];
}

function objectOption<Type>(value: unknown, where: string): Type | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Type;
  throw new OptionError(where, ` must be an object, not ${describe(value)}`);
}

/** The option under its name where it was given, so that a source without it has no such member. */
function functionOption<Name extends "handshake" | "answer" | "compose" | "composeUrl">(
  name: Name,
  given: Record<string, unknown>,
  where: string,
): Pick<Source, Name> | Record<never, never> {
  const value = own(given, name);
  if (value === undefined) return {};
  if (typeof value === "function") return { [name]: value } as Pick<Source, Name>;
  throw new OptionError(`${where}.${name}`, ` must be a function, not ${describe(value)}`);
}
