import { type AllowIpsOptions, resolveAllowIps } from "../../ip/allowlist.js";
import { lifetimeOptionNames, parseLifetime } from "../../keys/lifetime.js";
import type { Clock } from "../../lib/clock.js";
import { assertOptions, describe, OptionError, own } from "../../lib/options.js";
import type {
  AddressList,
  CredentialReport,
  KeyCredential,
  KeyKind,
  Owner,
  TokenCredential,
} from "../../types/credential.js";
import { parseJwtOptions } from "../jwt/options.js";
import { reusingRemoteSets } from "../jwt/remote-reuse.js";
import { parseId } from "../key-options.js";

/** Turns what a user's lookup returned into credentials; a TypeError says what is wrong with it. */
export interface LookupCompiler {
  key(found: unknown, digest: string, kind: KeyKind): KeyCredential;
  /** Credentials of another issuer than the one asked for are left out. */
  tokens(found: unknown, issuer: string): readonly TokenCredential[];
  close(): void;
}

const ownerOptionNames = ["tenant", "service", "allowIps"];
const keyOptionNames = ["id", ...ownerOptionNames, ...lifetimeOptionNames];
const maxRemoteSets = 1000;

/**
 * Compiled tokens and address lists are remembered by the identity of the object that the lookup returned, for as
 * long as that object lives. An object whose members were changed in place is compiled anew.
 */
export function createLookupCompiler(
  clock: Clock,
  onEvent: (report: CredentialReport) => void,
): LookupCompiler {
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
