import { lifetimeOptionNames, parseLifetime } from "../../keys/lifetime.js";
import type { TokenCredential } from "../../types/credential.js";
import type { parseJwtOptions } from "./options.js";

/** The parameters of `parseJwtOptions`. */
export type ParseToken = typeof parseJwtOptions;

/** Where credentials with remote key sets are remembered, by the text of their options. */
export interface RemoteMemory {
  get(name: string): TokenCredential | undefined;
  set(name: string, credential: TokenCredential): void;
}

/**
 * `parse`, except that a credential whose key set is remote keeps the set that it had: its last good keys and its
 * cooldown must outlive a reload, or a set that cannot be reached just then would lock its senders out. Owner, state
 * and lifetime are always read anew.
 */
export function reusingRemoteSets(parse: ParseToken, memory: RemoteMemory): ParseToken {
  return (options, where, context) => {
    const { tenant, service } = context.owner;
    const name = remoteSetName(options, [tenant, service, context.defaultId]);
    if (name === undefined) return parse(options, where, context);
    const earlier = memory.get(name);
    const credential =
      earlier === undefined
        ? parse(options, where, context)
        : { ...earlier, owner: context.owner, ...parseLifetime(options as Record<string, unknown>, where) };
    memory.set(name, credential);
    return credential;
  };
}

function remoteSetName(options: unknown, place: readonly unknown[]): string | undefined {
  if (typeof options !== "object" || options === null || !Object.hasOwn(options, "jwksUri")) return undefined;
  const rest = Object.entries(options).filter(([name]) => !lifetimeOptionNames.includes(name));
  return JSON.stringify([place, rest]);
}
