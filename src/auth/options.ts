import type { Clock } from "../lib/clock.js";
import {
  assertOptions,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
  ownMembers,
} from "../lib/options.js";
import type { CredentialKind, CredentialProvider, KeyKind, TokenCredential } from "../types/credential.js";
import type { CredentialPlaces, SourceAuth } from "../types/source.js";
import type { AuthPolicy } from "./authenticate.js";
import { type ServiceKeyOptions, singleServiceCredentials } from "./credentials/define.js";
import { sourceCredentials } from "./credentials/source-credentials.js";
import { VerifiedTokenCache } from "./jwt/cache.js";
import type { JwtOptions } from "./jwt/options.js";
import { defaultKeyHeader, parseKeyHeader } from "./service-key.js";

/** The one-line form: one service with its own keys, its own JWTs, or both. What is given is accepted. */
export interface SingleServiceAuth {
  /** One key, several, or keys with ids and lifetimes. Sent in the header `key` unless `header` names another one. */
  readonly serviceKey?: ServiceKeyOptions | undefined;
  /** One JWT credential or several. A JWT in the request has priority: the key is then not read. */
  readonly jwt?: JwtOptions | readonly JwtOptions[] | undefined;
}

/** The full form: credentials of tenants and services, and which kinds of them this route accepts. */
export interface CredentialsAuth {
  /** Kinds of credential that this route accepts. Where `"jwt"` is accepted, it has priority over any key. Default: `["jwt", "service-key"]`. */
  readonly accept?: readonly CredentialKind[] | undefined;
  /** From `defineCredentials`, `credentialsFromFile` or `credentialsFromLookup`. */
  readonly credentials: CredentialProvider;
  /** The header that keys are sent in. Default: `"key"`. */
  readonly keyHeader?: string | undefined;
}

/** No authentication at all: only for routes that something else protects. */
export interface NoAuth {
  /** `true` lets everyone in. Cannot be combined with other options of `auth`. */
  readonly dangerouslyAcceptAnyone: true;
}

/** How callers prove who they are: the one-line form, the full form with `credentials`, or nobody is asked. */
export type AuthOptions = SingleServiceAuth | CredentialsAuth | NoAuth;

/** The names of all options of `auth`, in whichever form. */
export const authOptionNames = optionKeys<AuthOptions>({
  serviceKey: true,
  jwt: true,
  accept: true,
  credentials: true,
  keyHeader: true,
  dangerouslyAcceptAnyone: true,
});

const kinds: readonly CredentialKind[] = ["jwt", "service-key", "profile-key"];
const howTo =
  "give `serviceKey`, `jwt` or both; or `credentials` with `accept`; or a `source` that signs; or, to let anyone in, `dangerouslyAcceptAnyone: true`";

/** `auth`, resolved. */
export interface ResolvedAuth {
  readonly policy: AuthPolicy;
  /** Whether the credentials were made here, so that closing them is ours too. */
  readonly ownsCredentials: boolean;
}

/** What `auth` is resolved with. */
export interface AuthContext {
  /** The service of the one-line form. */
  readonly name: string;
  readonly clock: Clock;
  /** There is an inbox, for tokens that are good for one delivery. */
  readonly remembersUses?: boolean;
  /** The receiver's source. `signs`: its signature is checked, so that callers need no credential. */
  readonly source?:
    | {
        readonly name: string;
        readonly auth: SourceAuth | undefined;
        readonly signs: boolean;
        readonly places?: CredentialPlaces | undefined;
      }
    | undefined;
}

/**
 * Resolves `auth` once. Left out, a source's own tokens are what callers are asked for; of a source that signs, nothing
 * else than the signature. Throws a TypeError that names the option and the fix.
 */
export function resolveAuth(auth: unknown, where: string, context: AuthContext): ResolvedAuth {
  const { policy, ownsCredentials } = resolveForm(auth, where, context);
  const remembersUses = context.remembersUses === true;
  const full = ownMembers({ ...policy, places: context.source?.places, remembersUses });
  const resolved = { policy: full, ownsCredentials };
  try {
    assertUsesRemembered(resolved.policy, where);
  } catch (error) {
    if (ownsCredentials) policy.credentials?.close?.();
    throw error;
  }
  return resolved;
}

/** Where the credentials are at hand, a token that can never be taken is a mistake of today. */
function assertUsesRemembered({ credentials, tokens, remembersUses }: AuthPolicy, where: string): void {
  if (remembersUses === true || tokens === undefined || credentials === undefined) return;
  const all: unknown = Reflect.get(credentials, "all");
  if (!Array.isArray(all)) return;
  const found = (all as readonly Partial<TokenCredential>[]).find(
    ({ kind, policy }) => kind === "jwt" && policy?.oneTimeUse === true,
  );
  if (found === undefined) return;
  throw new OptionError(
    where,
    `: the JWT credential "${found.id}" has oneTimeUse: true, which needs a receiver with an \`inbox\`: used tokens are remembered there`,
  );
}

type Form = Omit<AuthPolicy, "remembersUses">;

interface ResolvedForm {
  readonly policy: Form;
  readonly ownsCredentials: boolean;
}

function resolveForm(auth: unknown, where: string, context: AuthContext): ResolvedForm {
  const { source } = context;
  if (source?.auth !== undefined) {
    if (auth === undefined) return fromSource(source.name, source.auth, context);
    throw new OptionError(
      where,
      ` and the source "${source.name}" are both given, and the source brings its own credentials: leave \`auth\` out`,
    );
  }
  if (auth === undefined && source?.signs === true) return { policy: anyCaller, ownsCredentials: false };
  if (auth === undefined || auth === null) throw new OptionError(where, ` is missing: ${howTo}`);
  assertOptions(auth, authOptionNames, where);
  for (const credential of ["serviceKey", "jwt", "credentials"]) {
    // Not the same as left out: a value was intended, and without it a kind of credential would silently not be checked.
    if (Object.hasOwn(auth, credential) && auth[credential] === undefined) {
      throw new OptionError(
        `${where}.${credential}`,
        " is undefined: is its environment variable set? Leave the option out if you do not want it",
      );
    }
  }
  const given = Object.keys(auth).filter((key) => auth[key] !== undefined);
  if (given.includes("dangerouslyAcceptAnyone")) {
    return { policy: acceptAnyone(auth, given, where), ownsCredentials: false };
  }
  if (given.includes("credentials") || given.includes("accept") || given.includes("keyHeader")) {
    return { policy: fromCredentials(auth, given, where), ownsCredentials: false };
  }
  if (given.length === 0) throw new OptionError(where, ` has no way to authenticate callers: ${howTo}`);
  const { credentials, keyHeader } = singleServiceCredentials(
    { name: context.name, serviceKey: own(auth, "serviceKey"), jwt: own(auth, "jwt") },
    where,
    context.clock,
  );
  const policy: Form = {
    tokens: given.includes("jwt") ? new VerifiedTokenCache(credentials) : undefined,
    keyKinds: given.includes("serviceKey") ? ["service-key"] : [],
    keyHeader,
    credentials,
  };
  return { policy, ownsCredentials: true };
}

function acceptAnyone(auth: Record<string, unknown>, given: readonly string[], where: string): Form {
  const on = flagOption(auth.dangerouslyAcceptAnyone, `${where}.dangerouslyAcceptAnyone`);
  if (!on || given.length > 1) {
    throw new OptionError(
      `${where}.dangerouslyAcceptAnyone`,
      ` must be true, without other options of auth: ${howTo}`,
    );
  }
  return anyCaller;
}

const anyCaller: Form = {
  tokens: undefined,
  keyKinds: [],
  keyHeader: defaultKeyHeader,
  credentials: undefined,
};

function fromSource(sourceName: string, auth: SourceAuth, { name, clock }: AuthContext): ResolvedForm {
  const credentials = sourceCredentials(auth, { sourceName, service: name, clock });
  const policy: Form = {
    tokens: new VerifiedTokenCache(credentials),
    tokenCarrier: own(auth, "carrier"),
    checkToken: (claims, url) => auth.check?.(claims, url),
    keyKinds: [],
    keyHeader: defaultKeyHeader,
    credentials,
  };
  return { policy, ownsCredentials: true };
}

function fromCredentials(auth: Record<string, unknown>, given: readonly string[], where: string): Form {
  if (given.includes("serviceKey") || given.includes("jwt")) {
    throw new OptionError(
      where,
      ` mixes two forms: \`serviceKey\` and \`jwt\` are for a single service; with \`credentials\` put them under the service in defineCredentials`,
    );
  }
  const credentials = auth.credentials;
  if (!isCredentialProvider(credentials)) {
    throw new OptionError(
      `${where}.credentials`,
      ` must come from defineCredentials, credentialsFromFile or credentialsFromLookup, not ${describe(credentials)}`,
    );
  }
  const accept = parseAccept(own(auth, "accept"), `${where}.accept`);
  return {
    tokens: accept.includes("jwt") ? new VerifiedTokenCache(credentials) : undefined,
    keyKinds: accept.filter((kind): kind is KeyKind => kind !== "jwt"),
    keyHeader: parseKeyHeader(own(auth, "keyHeader"), `${where}.keyHeader`),
    credentials,
  };
}

function isCredentialProvider(value: unknown): value is CredentialProvider {
  const source = value as Partial<CredentialProvider> | null | undefined;
  return typeof source?.findKey === "function" && typeof source.findTokenCredentials === "function";
}

function parseAccept(value: unknown, where: string): readonly CredentialKind[] {
  if (value === undefined) return ["jwt", "service-key"];
  const list = kinds.map((kind) => `"${kind}"`).join(", ");
  if (!Array.isArray(value) || value.length === 0) {
    throw new OptionError(where, ` must be an array with at least one of ${list}, not ${describe(value)}`);
  }
  const unknown = value.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined) {
    throw new OptionError(where, ` holds ${JSON.stringify(unknown)}; the kinds of credential are ${list}`);
  }
  return [...new Set(value as CredentialKind[])];
}
