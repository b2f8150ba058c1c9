import { CredentialsUnavailableError } from "../../errors.js";
import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "../../ip/allowlist.js";
import { type LifetimeOptions, parseLifetime } from "../../keys/lifetime.js";
import { type Clock, parseClock } from "../../lib/clock.js";
import type { Duration } from "../../lib/duration.js";
import { assertOptions, describe, durationOption, OptionError, optionKeys, own } from "../../lib/options.js";
import { isPromise, withDeadline } from "../../lib/promises.js";
import type {
  AddressList,
  CredentialProvider,
  CredentialReport,
  KeyCredential,
  KeyKind,
  MaybePromise,
  Owner,
  TokenCredential,
} from "../../types/credential.js";
import { type JwtOptions, parseJwtOptions, reusingRemoteSets } from "../jwt/options.js";
import { parseId } from "../service-key.js";
import { createReports } from "./reports.js";

interface FoundOwner {
  /** Name of the tenant that holds it, 1 to 100 printable ASCII characters. */
  readonly tenant: Owner["tenant"];
  /** Addresses that this owner may call from. An array is compiled once: return a new one when it changes. Default: any. */
  readonly allowIps?: AllowIpsOptions | Allowlist | undefined;
}

/** What your lookup says about a key. */
export interface FoundKey extends LifetimeOptions, FoundOwner {
  /** Stable name, for logs; 1 to 100 printable ASCII characters. */
  readonly id: string;
  /** The service that holds a service key. Left out for a profile key, which belongs to its tenant. */
  readonly service?: string | undefined;
}

/** What your lookup says about a JWT's issuer: the rules, the key, and whose it is. */
export type FoundToken = JwtOptions &
  FoundOwner & {
    /** Stable name, for logs; also the `kid` of the key if `kid` is left out. */
    readonly id: string;
    /** The service that sends these tokens. */
    readonly service: string;
  };

/**
 * Your own lookup of credentials. `undefined` means that there is none. `null` and anything else is a failure: the delivery is
 * answered 503 (`ERR_CREDENTIALS_UNAVAILABLE`).
 */
export interface CredentialLookup {
  /** Finds the key whose SHA-256 is `digest`, in lower-case hex. Left out: no key is valid. */
  readonly key?: ((digest: string, kind: KeyKind) => MaybePromise<FoundKey | undefined>) | undefined;
  /**
   * Finds the JWT credentials of an issuer. `issuer` and `keyId` come from a token that nobody has checked yet: use them
   * as parameters of a query, never as part of its text. Left out: no JWT is valid.
   */
  readonly token?:
    | ((hint: {
        /** The token's `iss`. */
        readonly issuer: string;
        /** The token's `kid`, if it has one. */
        readonly keyId: string | undefined;
      }) => MaybePromise<FoundToken | readonly FoundToken[] | undefined>)
    | undefined;
}

/** Options of `credentialsFromLookup`. */
export interface CredentialLookupOptions {
  /** Time limit of a lookup, `"1ms"` to `"1m"`; then 503 (`ERR_CREDENTIALS_UNAVAILABLE`). Default: `"2s"`. */
  readonly timeout?: Duration | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

const optionNames = optionKeys<CredentialLookupOptions>({ timeout: true, clock: true });

/**
 * Credentials from your own lookup. Where it throws, rejects, takes longer than `timeout` or returns what it should not, the
 * delivery is refused with ERR_CREDENTIALS_UNAVAILABLE, and nothing of the failure is remembered. Caching is yours:
 * return the same object again, and its keys are not imported again.
 *
 * @example
 * const credentials = credentialsFromLookup({
 *   key: (digest, kind) => db.oneOrUndefined("select … where digest = $1 and kind = $2", [digest, kind]),
 * });
 */
export function credentialsFromLookup(
  lookup: CredentialLookup,
  options: CredentialLookupOptions = {},
): CredentialProvider {
  const { key, token } = parseLookup(lookup);
  const where = "credentialsFromLookup's options";
  assertOptions(options, optionNames, where);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const bounds = { min: "1ms", max: "1m", fallback: "2s" } as const;
  const timeoutMs = durationOption(own(options, "timeout"), `${where}.timeout`, bounds);
  const reports = createReports();
  const compiler = createLookupCompiler(clock, reports.tell);

  /** Asks, waits within the deadline, reads the answer; every failure is a CredentialsUnavailableError. */
  const answer = <Raw, Result>(
    name: string,
    ask: () => MaybePromise<Raw>,
    read: (raw: Raw) => Result,
  ): MaybePromise<Result> => {
    const readSafely = (raw: Raw): Result => attempt(`${name} returned an invalid answer`, () => read(raw));
    const raw = attempt(`${name} threw`, ask);
    if (!isPromise(raw)) return readSafely(raw);
    const answered = raw.catch((error: unknown) => {
      throw unavailable(`${name} rejected`, error);
    });
    return withDeadline(answered, { clock, deadlineMs: timeoutMs }, () => {
      throw new CredentialsUnavailableError(`${name} did not answer within ${timeoutMs} ms`);
    }).then(readSafely);
  };

  return {
    findKey: (digest, kind) =>
      key === undefined
        ? undefined
        : answer<unknown, KeyCredential | undefined>(
            "the lookup key()",
            () => key.call(lookup, digest, kind),
            (found) => (found === undefined ? undefined : compiler.key(found, digest, kind)),
          ),
    findTokenCredentials: (hint) =>
      token === undefined
        ? []
        : answer<unknown, readonly TokenCredential[]>(
            "the lookup token()",
            () => token.call(lookup, hint),
            (found) => compiler.tokens(found, hint.issuer),
          ),
    observe: reports.observe,
    close: compiler.close,
  };
}

function parseLookup(value: unknown): CredentialLookup {
  if (typeof value !== "object" || value === null) {
    throw new OptionError(
      `credentialsFromLookup`,
      ` takes an object with the functions key, token or both, not ${describe(value)}`,
    );
  }
  // An instance of a class has its methods on the prototype, so this is not an options object.
  const { key, token } = value as Record<string, unknown>;
  for (const [name, method] of Object.entries({ key, token })) {
    if (method === undefined || typeof method === "function") continue;
    throw new OptionError(`credentialsFromLookup`, `: ${name} must be a function, not ${describe(method)}`);
  }
  if (key === undefined && token === undefined) {
    throw new OptionError(
      "credentialsFromLookup",
      " needs the function key(digest, kind), token({ issuer, keyId }) or both",
    );
  }
  return { key, token } as CredentialLookup;
}

function attempt<T>(failure: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw unavailable(failure, error);
  }
}

/** The text of the user's error is left to `cause`: it may quote a query with its parameters. */
function unavailable(failure: string, error: unknown): CredentialsUnavailableError {
  if (error instanceof CredentialsUnavailableError) return error;
  const detail = error instanceof TypeError && failure.endsWith("answer") ? `: ${error.message}` : "";
  return new CredentialsUnavailableError(`${failure}${detail}`, { cause: error });
}

/** Turns what a user's lookup returned into credentials; a TypeError says what is wrong with it. */
interface LookupCompiler {
  key(found: unknown, digest: string, kind: KeyKind): KeyCredential;
  /** Credentials of another issuer than the one asked for are left out. */
  tokens(found: unknown, issuer: string): readonly TokenCredential[];
  close(): void;
}

const ownerOptionNames: readonly string[] = optionKeys<FoundOwner & Pick<FoundToken, "service">>({
  tenant: true,
  service: true,
  allowIps: true,
});
const keyOptionNames = optionKeys<FoundKey>({
  id: true,
  tenant: true,
  service: true,
  allowIps: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});
const maxRemoteSets = 1000;

/**
 * Compiled tokens and address lists are remembered by the identity of the object that the lookup returned, for as
 * long as that object lives. An object whose members were changed in place is compiled anew.
 */
function createLookupCompiler(clock: Clock, onEvent: (report: CredentialReport) => void): LookupCompiler {
  const compiled = new WeakMap<object, { readonly members: Members; readonly credential: TokenCredential }>();
  const lists = new WeakMap<object, AddressList>();
  const remotes = new Map<string, TokenCredential>();
  const parseToken = reusingRemoteSets(parseJwtOptions, {
    get: (name) => remotes.get(name),
    set(name, credential) {
      remotes.delete(name);
      remotes.set(name, credential);
      if (remotes.size <= maxRemoteSets) return;
      for (const [oldest, { keys }] of remotes) {
        remotes.delete(oldest);
        keys.close?.();
        break;
      }
    },
  });

  const ownerOf = (found: Record<string, unknown>, needsService: boolean, where: string): Owner => {
    const tenant = parseId(own(found, "tenant"), `${where}.tenant`);
    const given = own(found, "service");
    if (!needsService && given !== undefined) {
      throw new OptionError(`${where}.service`, ` is set, but a profile key belongs to its tenant`);
    }
    const owner = needsService ? { tenant, service: parseId(given, `${where}.service`) } : { tenant };
    return { ...owner, allowIps: listsOf(own(found, "allowIps"), `${where}.allowIps`) };
  };

  const listsOf = (value: unknown, where: string): readonly AddressList[] => {
    if (value === undefined) return [];
    const remembered = typeof value === "object" && value !== null ? lists.get(value) : undefined;
    const list = remembered ?? resolveAllowIps(value as AllowIpsOptions, where);
    lists.set(value as object, list);
    return [list];
  };

  const compileToken = (found: unknown, where: string): TokenCredential => {
    assertObject(found, where);
    const remembered = compiled.get(found);
    if (remembered !== undefined && sameMembers(found, remembered.members)) return remembered.credential;
    const members = Object.entries(found);
    const id = parseId(own(found, "id"), `${where}.id`);
    const owner = ownerOf(found, true, where);
    const options = Object.fromEntries(members.filter(([name]) => !ownerOptionNames.includes(name)));
    const credential = parseToken(options, where, { owner, defaultId: id, clock, onEvent });
    // Remote sets are remembered by their address instead: this entry would outlive their eviction.
    if (!Object.hasOwn(found, "jwksUri")) compiled.set(found, { members, credential });
    return credential;
  };

  return {
    key(found, digest, kind) {
      const where = "its answer";
      assertOptions(found, keyOptionNames, where);
      return {
        kind,
        id: parseId(own(found, "id"), `${where}.id`),
        owner: ownerOf(found, kind === "service-key", where),
        digest: Buffer.from(digest, "hex"),
        ...parseLifetime(found, where),
      };
    },
    tokens(found, issuer) {
      if (found === undefined) return [];
      const all = Array.isArray(found)
        ? found.map((one: unknown, at) => compileToken(one, `its answer[${at}]`))
        : [compileToken(found, "its answer")];
      return all.filter((credential) => credential.policy.issuer === issuer);
    },
    close() {
      for (const { keys } of remotes.values()) keys.close?.();
      remotes.clear();
    },
  };
}

type Members = readonly (readonly [string, unknown])[];

function assertObject(value: unknown, where: string): asserts value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new OptionError(where, ` must be an object or undefined, not ${describe(value)}`);
  }
}

function sameMembers(found: Record<string, unknown>, members: Members): boolean {
  return (
    Object.keys(found).length === members.length &&
    members.every(([name, value]) => Object.hasOwn(found, name) && Object.is(found[name], value))
  );
}
