import { CredentialsUnavailableError } from "../../errors.js";
import type { AllowIpsOptions, Allowlist } from "../../ip/allowlist.js";
import type { LifetimeOptions } from "../../keys/lifetime.js";
import { type Clock, parseClock } from "../../lib/clock.js";
import { withDeadline } from "../../lib/deadline.js";
import { type Duration, durationOption } from "../../lib/duration.js";
import { isPromise } from "../../lib/maybe-promise.js";
import { assertOptions, describe, OptionError, own } from "../../lib/options.js";
import type {
  CredentialProvider,
  KeyCredential,
  KeyKind,
  MaybePromise,
  Owner,
  TokenCredential,
} from "../../types/credential.js";
import type { JwtOptions } from "../jwt/options.js";
import { createLookupCompiler } from "./lookup-compiler.js";
import { createReports } from "./reports.js";

interface FoundOwner {
  readonly tenant: Owner["tenant"];
  /** Addresses that this owner may call from. An array is compiled once: give another one where it changes. */
  readonly allowIps?: AllowIpsOptions | Allowlist;
}

/** What your lookup says about a key. */
export interface FoundKey extends LifetimeOptions, FoundOwner {
  readonly id: string;
  /** The service that holds a service key; left out for a profile key. */
  readonly service?: string;
}

/** What your lookup says about a JWT's issuer: the rules, the key, and whose it is. */
export type FoundToken = JwtOptions & FoundOwner & { readonly id: string; readonly service: string };

/** Your own lookup of credentials. `undefined` means that there is none; null, and anything else, is a failure. */
export interface CredentialLookup {
  /** The key whose SHA-256 is `digest`, in lower-case hex. Left out: no key is valid. */
  key?(digest: string, kind: KeyKind): MaybePromise<FoundKey | undefined>;
  /**
   * The JWT credentials of an issuer. `issuer` and `keyId` come from a token that nobody has checked yet: use them
   * as parameters of a query, never as part of its text. Left out: no JWT is valid.
   */
  token?(hint: {
    readonly issuer: string;
    readonly keyId: string | undefined;
  }): MaybePromise<FoundToken | readonly FoundToken[] | undefined>;
}

/** Options of `credentialsFromLookup`. */
export interface CredentialLookupOptions {
  /** Time that a lookup may take, `"1ms"` to `"1m"`. Default: `"2s"`. */
  readonly timeout?: Duration | undefined;
  readonly clock?: Clock;
}

/**
 * Credentials from your own lookup. Where it throws, rejects, misses its deadline or returns what it should not, the
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
  assertOptions(options, ["timeout", "clock"], where);
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
    const readSafely = (raw: Raw): Result => attempt(`${name} returned what cannot be used`, () => read(raw));
    const raw = attempt(`${name} threw`, ask);
    if (!isPromise(raw)) return readSafely(raw);
    const answered = raw.catch((error: unknown) => {
      throw unavailable(`${name} rejected`, error);
    });
    return withDeadline(answered, { clock, deadlineMs: timeoutMs }, () => {
      throw new CredentialsUnavailableError(`${name} gave no answer within ${timeoutMs} ms`);
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
  const detail = error instanceof TypeError && failure.endsWith("used") ? `: ${error.message}` : "";
  return new CredentialsUnavailableError(`${failure}${detail}`, { cause: error });
}
