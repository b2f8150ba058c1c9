import type { CredentialKind } from "../types/credential.js";
import type { Members } from "./credentials-document.js";

/** The owner that options name: a tenant, or one of its services. */
export interface OwnerName {
  readonly tenant: string;
  readonly service: string | undefined;
}

/** One credential where it stands in a document. */
export interface Entry {
  readonly kind: CredentialKind;
  readonly members: Members;
  /** Takes the entry out, and the owner with it where nothing else is left of that. */
  remove(): void;
}

const listNames = { "profile-key": "profileKeys", "service-key": "serviceKeys", jwt: "jwt" } as const;

/** The credentials of an owner. The document must have passed the parser, which vouches for its shape. */
export function entriesOf(document: Members, owner: OwnerName): readonly Entry[] {
  const holder = holderOf(document, owner);
  if (holder === undefined) return [];
  const kinds = owner.service === undefined ? (["profile-key"] as const) : (["service-key", "jwt"] as const);
  return kinds.flatMap((kind) =>
    listOf(holder, kind).map((members) => ({
      kind,
      members,
      remove(): void {
        const rest = listOf(holder, kind).filter((other) => other !== members);
        if (rest.length > 0) holder[listNames[kind]] = rest;
        else delete holder[listNames[kind]];
        prune(document, owner);
      },
    })),
  );
}

/** Adds a credential, making tenant and service where they are new. */
export function addEntry(document: Members, owner: OwnerName, kind: CredentialKind, members: Members): void {
  const tenant = memberOrNew(document.tenants as Members, owner.tenant);
  const holder =
    owner.service === undefined ? tenant : memberOrNew(memberOrNew(tenant, "services"), owner.service);
  holder[listNames[kind]] = [...listOf(holder, kind), members];
}

/** An owner's name for messages. */
export function nameOf({ tenant, service }: OwnerName): string {
  return service === undefined ? `tenant "${tenant}"` : `service "${service}" of tenant "${tenant}"`;
}

function holderOf(document: Members, { tenant, service }: OwnerName): Members | undefined {
  const holder = member(document.tenants as Members, tenant);
  if (service === undefined || holder === undefined) return holder;
  const services = member(holder, "services");
  return services === undefined ? undefined : member(services, service);
}

function listOf(holder: Members, kind: CredentialKind): readonly Members[] {
  const list = Object.hasOwn(holder, listNames[kind]) ? holder[listNames[kind]] : [];
  return (Array.isArray(list) ? list : [list]) as readonly Members[];
}

/** Takes out a service without credentials, then a tenant without any: the parser refuses both. */
function prune(document: Members, { tenant, service }: OwnerName): void {
  const tenants = document.tenants as Members;
  const holder = member(tenants, tenant);
  if (holder === undefined) return;
  const services = member(holder, "services");
  if (services !== undefined && service !== undefined) {
    const own = member(services, service);
    if (own !== undefined && listOf(own, "service-key").length + listOf(own, "jwt").length === 0) {
      delete services[service];
    }
    if (Object.keys(services).length === 0) delete holder.services;
  }
  if (listOf(holder, "profile-key").length === 0 && !Object.hasOwn(holder, "services"))
    delete tenants[tenant];
}

function member(holder: Members, name: string): Members | undefined {
  return Object.hasOwn(holder, name) ? (holder[name] as Members) : undefined;
}

function memberOrNew(holder: Members, name: string): Members {
  const found = member(holder, name);
  if (found !== undefined) return found;
  const made: Members = {};
  // Defined, not assigned: "__proto__" is a name like any other.
  Object.defineProperty(holder, name, { value: made, enumerable: true, writable: true, configurable: true });
  return made;
}
