import { Refusal } from "../errors.js";
import type { AddressList } from "../types/credential.js";
import type { IpAddress } from "../types/ip.js";
import { formatIp } from "./address.js";
import { type ClientAddressResolver, UnknownAddress } from "./client-address.js";

/** Where a request came from, as far as it can be known. */
export interface SenderAddress {
  readonly ip: IpAddress | undefined;
  /** Canonical text of `ip`. */
  readonly text: string | undefined;
  /** Why `ip` is undefined, for the operator; empty where it is known. */
  readonly fault: string;
  /** The request's header lines, for the operator's hint in a refusal. */
  readonly rawHeaders: readonly string[];
  readonly resolver: ClientAddressResolver;
}

/** Told of what a list in shadow mode would have refused. */
export interface ShadowListener {
  wouldRefuse(refusal: Refusal): void;
}

/** Finds the sender's address. To be called before anything is awaited: a closed socket has none (ATTACKS D19). */
export function findSender(
  resolver: ClientAddressResolver,
  remoteAddress: string | undefined,
  rawHeaders: readonly string[],
): SenderAddress {
  const found = resolver.resolve(remoteAddress, rawHeaders);
  return found instanceof UnknownAddress
    ? { ip: undefined, text: undefined, fault: found.unknown, rawHeaders, resolver }
    : { ip: found, text: formatIp(found), fault: "", rawHeaders, resolver };
}

/**
 * Asks the lists in turn; all must have the address. The first that enforces and says no gives ERR_ADDRESS_REFUSED;
 * a list in shadow mode only tells `shadow`.
 */
export function refuseAddress(
  lists: readonly AddressList[],
  sender: SenderAddress,
  shadow: ShadowListener,
): Refusal | undefined {
  for (const list of lists) {
    if (sender.ip !== undefined && list.has(sender.ip)) continue;
    const reason =
      sender.ip === undefined
        ? `the sender's address cannot be known: ${sender.fault}`
        : `${sender.text} is in no range of the allowlist`;
    const fault = sender.ip === undefined ? "address-unknown" : "not-listed";
    const refusal = new Refusal("ERR_ADDRESS_REFUSED", reason + proxyHint(sender), undefined, fault);
    if (list.mode === "enforce") return refusal;
    shadow.wouldRefuse(refusal);
  }
  return undefined;
}

/** The commonest mistake: a proxy in front that nobody declared, so that every sender has the proxy's address. */
export function proxyHint({ resolver, rawHeaders, text }: SenderAddress): string {
  if (resolver.readsHeaders) return "";
  const header = rawHeaders.find((name, i) => i % 2 === 0 && /^(x-forwarded-for|forwarded)$/i.test(name));
  if (header === undefined) return "";
  return `; the request has ${header}: if ${text ?? "the peer"} is a proxy of yours, declare it in clientAddress.trustedProxies`;
}
