import type { Clock } from "../../lib/clock.js";
import { isPromise } from "../../lib/maybe-promise.js";
import { OptionError, own } from "../../lib/options.js";
import type { CredentialProvider } from "../../types/credential.js";
import type { SourceAuth, TokenHint } from "../../types/source.js";
import { credentialsFromLookup, type FoundToken } from "./lookup.js";
import { rememberingLookup } from "./lookup-memory.js";
import { defaultTenant, singleServiceCredentials } from "./single-service.js";

/** Whose a source's credentials become. */
export interface SourceOwner {
  /** Name of the source, for messages. */
  readonly sourceName: string;
  readonly service: string;
  readonly clock: Clock;
}

/** How long a source's lookup may take: it asks a provider's API, not a database of our own. */
const lookupTimeout = "5s";

/**
 * The credentials that a source brings: tenant "default", one service. TypeError where they cannot be meant; what the
 * source's own options say wrong, the source has said before.
 */
export function sourceCredentials(auth: SourceAuth, owner: SourceOwner): CredentialProvider {
  const defaultIssuer = own(auth, "defaultIssuer");
  return { ...credentialsOf(auth, owner), defaultIssuer };
}

function credentialsOf(auth: SourceAuth, { sourceName, service, clock }: SourceOwner): CredentialProvider {
  const where = `the source "${sourceName}"`;
  const [jwt, token, memory] = [own(auth, "jwt"), own(auth, "token"), own(auth, "tokenMemory")];
  if ((jwt === undefined) === (token === undefined)) {
    throw new OptionError(where, `: auth must have either \`jwt\` or \`token\``);
  }
  if (token === undefined) return singleServiceCredentials({ name: service, jwt }, where, clock).credentials;
  const remembering = memory === undefined ? undefined : rememberingLookup(token, memory, clock);
  const find = remembering?.find ?? token;
  const owned = ownedBy(service);
  const lookup = (hint: TokenHint): unknown => {
    const found = find(hint);
    return isPromise(found) ? found.then(owned) : owned(found);
  };
  const credentials = credentialsFromLookup(
    { token: lookup as (hint: TokenHint) => FoundToken | undefined },
    { clock, timeout: lookupTimeout },
  );
  return remembering === undefined ? credentials : { ...credentials, noteGenuine: remembering.noteGenuine };
}

/** Adds the owner to what a lookup found, as the same object for the same one: compiled keys hang on its identity. */
function ownedBy(service: string): (found: unknown) => unknown {
  const known = new WeakMap<object, object>();
  return (found) => {
    if (typeof found !== "object" || found === null || Array.isArray(found)) return found;
    const earlier = known.get(found);
    if (earlier !== undefined) return earlier;
    const whole = { id: "jwt-1", ...found, tenant: defaultTenant, service };
    known.set(found, whole);
    return whole;
  };
}
