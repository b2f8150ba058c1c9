import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "../../ip/allowlist.js";
import { type Clock, parseClock } from "../../lib/clock.js";
import { assertOptions, describe, OptionError, optionKeys, own } from "../../lib/options.js";
import type { AddressList, CredentialReport, KeyKind, Owner } from "../../types/credential.js";
import { type JwtOptions, parseJwtOptions } from "../jwt/options.js";
import { type KeyOptions, makeAKey, parseId, parseKeyHeader, parseKeyOptions } from "../service-key.js";
import { type CredentialIndex, IndexBuilder, Problems } from "./credential-index.js";
import { createReports } from "./reports.js";

/** The credentials of one service. */
export interface ServiceDefinition {
  /** Keys that the service sends, in the header `key` unless the route says otherwise. */
  readonly serviceKeys?: readonly KeyOptions[] | undefined;
  /** JWTs that the service sends: one credential or several. */
  readonly jwt?: JwtOptions | readonly JwtOptions[] | undefined;
  /** Addresses that this service may call from, in addition to what its tenant and the route demand. Default: any. */
  readonly allowIps?: AllowIpsOptions | Allowlist | undefined;
}

/** A tenant: its own profile keys, and its services. */
export interface TenantDefinition {
  /** Keys of the tenant itself, for routes that accept `"profile-key"`. */
  readonly profileKeys?: readonly KeyOptions[] | undefined;
  /** The tenant's services by name, 1 to 100 printable ASCII characters. */
  readonly services?: Readonly<Record<string, ServiceDefinition>> | undefined;
  /** Addresses that the whole tenant may call from, checked after the credential. Default: any. */
  readonly allowIps?: AllowIpsOptions | Allowlist | undefined;
}

/** All credentials, by tenant and service. */
export interface CredentialsDefinition {
  /** The tenants by name, 1 to 100 printable ASCII characters. */
  readonly tenants: Readonly<Record<string, TenantDefinition>>;
}

/** Options of `defineCredentials`. */
export interface DefineCredentialsOptions {
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

/** Credentials that are held in memory: lookups answer without a promise. */
export interface Credentials extends CredentialIndex {
  /** Calls `listener` with what the operator should know, such as a key set that could not be fetched. Returns the function that ends it. */
  observe(listener: (report: CredentialReport) => void): () => void;
  /** Ends the timers and requests of remote key sets. */
  close(): void;
}

const definitionNames = optionKeys<CredentialsDefinition>({ tenants: true });
const tenantNames = optionKeys<TenantDefinition>({ profileKeys: true, services: true, allowIps: true });
const serviceNames = optionKeys<ServiceDefinition>({ serviceKeys: true, jwt: true, allowIps: true });
const defineNames = optionKeys<DefineCredentialsOptions>({ clock: true });

/** What parsing a definition needs in addition to it. */
interface ModelContext {
  readonly clock: Clock;
  readonly onEvent: (report: CredentialReport) => void;
  /** True: JWT credentials must carry an id. A file demands it, since the command line names them by it. */
  readonly requireIds?: boolean;
  /** What is in use while this is parsed: key sets that it shares are left open if the parsing fails. */
  readonly inUse?: CredentialIndex | undefined;
  /** Parses a JWT's options; a file keeps remote key sets across reloads here. */
  readonly parseToken?: typeof parseJwtOptions;
}

/**
 * Credentials from an object: tenants, their services, several keys and JWTs of each kind, with `state`, `notBefore`
 * and `expiresAt`. Throws one TypeError that names every mistake: unknown options, weak or repeated keys, ids or
 * JWTs that cannot be told apart, owners without any credential.
 *
 * @example
 * const credentials = defineCredentials({
 *   tenants: { acme: { services: { orders: { serviceKeys: [{ id: "2026", digest: "sha256:…" }] } } } },
 * });
 */
export function defineCredentials(
  definition: CredentialsDefinition,
  options?: DefineCredentialsOptions,
): Credentials {
  if (options !== undefined) assertOptions(options, defineNames, "the second argument of defineCredentials");
  const reports = createReports();
  const clock = parseClock(options && own(options, "clock"), "defineCredentials's clock");
  const index = indexDefinition(definition, "credentials", { clock, onEvent: reports.tell });
  return joinSource(index, reports.observe);
}

/** An index as a source: lookups of the index, reports, an end. */
function joinSource(index: CredentialIndex, observe: Credentials["observe"]): Credentials {
  return { ...index, observe, close: () => closeKeySets(index) };
}

/** Ends timers and requests of an index's key sets, except those that `kept` still uses. */
export function closeKeySets(index: CredentialIndex, kept?: CredentialIndex): void {
  const inUse = new Set(
    kept?.all.map((credential) => (credential.kind === "jwt" ? credential.keys : undefined)),
  );
  for (const credential of index.all) {
    if (credential.kind === "jwt" && !inUse.has(credential.keys)) credential.keys.close?.();
  }
}

/** Checks a definition and builds its index. Throws one TypeError that names every mistake. */
export function indexDefinition(definition: unknown, where: string, context: ModelContext): CredentialIndex {
  assertOptions(definition, definitionNames, where);
  const problems = new Problems();
  const index = new IndexBuilder(problems);
  const parser = new DefinitionParser(problems, index, context);
  const tenants = problems.attempt(() => entriesOf(own(definition, "tenants"), `${where}.tenants`));
  if (tenants?.length === 0)
    problems.add(`${where}.tenants is empty; it must hold a tenant with a credential`);
  for (const [name, tenant] of tenants ?? []) {
    problems.attempt(() => parser.tenant(name, tenant, `${where}.tenants${member(name)}`));
  }
  const built = index.build();
  try {
    problems.throwIfAny();
  } catch (error) {
    closeKeySets(built, context.inUse);
    throw error;
  }
  return built;
}

class DefinitionParser {
  readonly #problems: Problems;
  readonly #index: IndexBuilder;
  readonly #context: ModelContext;

  constructor(problems: Problems, index: IndexBuilder, context: ModelContext) {
    this.#problems = problems;
    this.#index = index;
    this.#context = context;
  }

  tenant(name: string, value: unknown, where: string): void {
    const tenant = parseId(name, `the name of ${where}`);
    assertOptions(value, tenantNames, where);
    const lists = this.#allowIps(own(value, "allowIps"), `${where}.allowIps`);
    const profileKeys = this.#list(own(value, "profileKeys"), `${where}.profileKeys`);
    const services = entriesOf(own(value, "services") ?? {}, `${where}.services`);
    if (profileKeys.length === 0 && services.length === 0) {
      throw new OptionError(where, ` has no credential; give it profileKeys or services, or remove it`);
    }
    this.#keys(profileKeys, "profile-key", { tenant, allowIps: lists }, `${where}.profileKeys`);
    for (const [service, definition] of services) {
      const place = `${where}.services${member(service)}`;
      this.#problems.attempt(() => this.#service({ tenant, service, allowIps: lists }, definition, place));
    }
  }

  #service(owner: Owner & { readonly service: string }, value: unknown, where: string): void {
    const service = parseId(owner.service, `the name of ${where}`);
    assertOptions(value, serviceNames, where);
    const allowIps = this.#allowIps(own(value, "allowIps"), `${where}.allowIps`);
    const full: Owner = { tenant: owner.tenant, service, allowIps: [...owner.allowIps, ...allowIps] };
    const keys = this.#list(own(value, "serviceKeys"), `${where}.serviceKeys`);
    const jwt = own(value, "jwt");
    const tokens = jwt === undefined ? [] : Array.isArray(jwt) ? jwt : [jwt];
    if (keys.length === 0 && tokens.length === 0) {
      throw new OptionError(where, ` has no credential; give it serviceKeys or jwt, or remove it`);
    }
    this.#keys(keys, "service-key", full, `${where}.serviceKeys`);
    addTokens(jwt, full, `${where}.jwt`, {
      index: this.#index,
      problems: this.#problems,
      context: this.#context,
    });
  }

  #keys(values: readonly unknown[], kind: KeyKind, owner: Owner, where: string): void {
    values.forEach((value, position) => {
      const place = `${where}[${position}]`;
      const parsed = this.#problems.attempt(() => parseKeyOptions(value, place));
      if (parsed !== undefined) this.#index.addKey(parsed, kind, owner, place);
    });
  }

  #list(value: unknown, where: string): readonly unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw new OptionError(where, ` must be an array, not ${describe(value)}`);
    return value;
  }

  #allowIps(value: unknown, where: string): readonly AddressList[] {
    if (value === undefined) return [];
    const list = this.#problems.attempt(() => resolveAllowIps(value as AllowIpsOptions, where));
    return list === undefined ? [] : [list];
  }
}

/** Adds the JWT credentials of one service: one options object, or an array of them. */
function addTokens(
  jwt: unknown,
  owner: Owner,
  where: string,
  into: { readonly index: IndexBuilder; readonly problems: Problems; readonly context: ModelContext },
): void {
  const { index, problems, context } = into;
  const parse = context.parseToken ?? parseJwtOptions;
  const values: readonly unknown[] = jwt === undefined ? [] : Array.isArray(jwt) ? jwt : [jwt];
  values.forEach((value, position) => {
    const place = Array.isArray(jwt) ? `${where}[${position}]` : where;
    problems.attempt(() => {
      if (context.requireIds === true) {
        assertObject(value, place);
        parseId(own(value as { id?: unknown }, "id"), `${place}.id`);
      }
      const credential = parse(value, place, {
        owner,
        defaultId: `jwt-${position + 1}`,
        clock: context.clock,
        onEvent: context.onEvent,
      });
      index.addToken(credential, value as JwtOptions, place);
    });
  });
}

function assertObject(value: unknown, where: string): void {
  if (typeof value !== "object" || value === null) {
    throw new OptionError(where, ` must be an object, not ${describe(value)}`);
  }
}

/** The own members of an object whose names are the user's: tenants, services. */
function entriesOf(value: unknown, where: string): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(where, ` must be an object with a member for each name, not ${describe(value)}`);
  }
  return Object.entries(value);
}

function member(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** One of several forms of options, of which `id` may be left out. */
type WithOptionalId<Options> = Options extends unknown
  ? Omit<Options, "id"> & {
      /** Stable name, unique within its owner, in logs; 1 to 100 printable ASCII characters. Default: `key-1`, `key-2` … */
      readonly id?: string | undefined;
    }
  : never;

/** Keys of a single service with their ids, lifetimes and header. */
export interface ServiceKeysWithHeader {
  /** The header that keys are sent in. Default: `"key"`. */
  readonly header?: string | undefined;
  /** The keys; any active one is accepted. `id` may be left out: `key-1`, `key-2` … by position. */
  readonly keys: readonly WithOptionalId<KeyOptions>[];
}

/** The keys of a single service: one, several, or with ids, lifetimes and a header of your own. */
export type ServiceKeyOptions = string | readonly (string | undefined)[] | ServiceKeysWithHeader;

const serviceKeyNames = optionKeys<ServiceKeysWithHeader>({ header: true, keys: true });

/** The tenant that the service of the single-service form belongs to. */
export const defaultTenant = "default";

/**
 * The one-line form of `auth` as credentials: tenant "default", one service. Keys without an id are `key-1`, `key-2`
 * and so on, JWTs `jwt-1` and so on. A JWT without `id` and `kid` that is the only one of its issuer takes tokens with any kid. Throws one
 * TypeError that names every mistake.
 */
export function singleServiceCredentials(
  options: { readonly name: string; readonly serviceKey?: unknown; readonly jwt?: unknown },
  where: string,
  clock: Clock,
): { readonly credentials: Credentials; readonly keyHeader: string } {
  const problems = new Problems();
  const index = new IndexBuilder(problems);
  const reports = createReports();
  const owner: Owner = { tenant: defaultTenant, service: options.name, allowIps: [] };
  const { serviceKey, jwt } = options;
  if (serviceKey === undefined && jwt === undefined) {
    throw new OptionError(where, ` needs serviceKey, jwt or both; is an environment variable missing?`);
  }
  const keyHeader = problems.attempt(() => {
    const { header, keys } = readServiceKey(serviceKey, `${where}.serviceKey`);
    for (const { value, place, textPlace } of keys) {
      const parsed = problems.attempt(() => parseKeyOptions(value, place, textPlace));
      if (parsed !== undefined) index.addKey(parsed, "service-key", owner, place);
    }
    return parseKeyHeader(header, `${where}.serviceKey.header`);
  });
  if (Array.isArray(jwt) && jwt.length === 0) {
    problems.add(`${where}.jwt is an empty array; give the options of at least one JWT, or leave it out`);
  }
  addTokens(jwt, owner, `${where}.jwt`, { index, problems, context: { clock, onEvent: reports.tell } });
  const credentials = joinSource(index.build(), reports.observe);
  try {
    problems.throwIfAny();
  } catch (error) {
    credentials.close();
    throw error;
  }
  return { credentials, keyHeader: keyHeader as string };
}

interface PlacedKey {
  readonly value: unknown;
  readonly place: string;
  /** The place of the key's text, where the options around it are ours. */
  readonly textPlace?: string;
}

function readServiceKey(
  value: unknown,
  where: string,
): { readonly header?: unknown; readonly keys: readonly PlacedKey[] } {
  if (value === undefined) return { keys: [] };
  if (typeof value === "string") return { keys: [namedKey(value, 0, where)] };
  if (Array.isArray(value)) {
    if (value.length === 0) throw new OptionError(where, ` is an empty array; ${makeAKey}`);
    return { keys: value.map((key, at) => namedKey(key, at, `${where}[${at}]`)) };
  }
  if (typeof value !== "object" || value === null) {
    throw new OptionError(
      where,
      ` must be a key, an array of keys, or { header?, keys: [{ id, key }] }, not ${describe(value)}`,
    );
  }
  assertOptions(value, serviceKeyNames, where);
  const keys = own(value, "keys");
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new OptionError(
      `${where}.keys`,
      ` must be an array of at least one { id, key }, not ${describe(keys)}`,
    );
  }
  return {
    header: own(value, "header"),
    keys: keys.map((key: unknown, at) => ({ value: withDefaultId(key, at), place: `${where}.keys[${at}]` })),
  };
}

function namedKey(key: unknown, at: number, place: string): PlacedKey {
  // An object here is a slip between the forms; only the object form takes ids.
  if (typeof key === "object" && key !== null) {
    throw new OptionError(place, ` is an object; keys with options go into { keys: [{ id, key }] }`);
  }
  return { value: { id: `key-${at + 1}`, key }, place, textPlace: place };
}

function withDefaultId(key: unknown, at: number): unknown {
  if (
    typeof key !== "object" ||
    key === null ||
    Array.isArray(key) ||
    own(key as { id?: unknown }, "id") !== undefined
  ) {
    return key;
  }
  return { ...key, id: `key-${at + 1}` };
}
