import type { AddressList } from "../contracts/credential.js";
import type { IpAddress } from "../contracts/ip.js";
import { Refusal } from "../errors.js";
import type { ClientAddressResolver } from "./client-address.js";
import { formatIp } from "./ip.js";

/** Where a request came from, as far as it can be known. */
export interface SenderAddress {
  readonly ip: IpAddress | undefined;
  /** Canonical text of `ip`. */
  readonly text: string | undefined;
  /** Why `ip` is undefined, for the operator; empty where it is known. */
  readonly fault: string;
}

/** Finds the sender's address. To be called before anything is awaited: a closed socket has none (ATTACKS D19). */
export function findSender(
  resolver: ClientAddressResolver,
  remoteAddress: string | undefined,
  rawHeaders: readonly string[],
): SenderAddress {
  const found = resolver.resolve(remoteAddress, rawHeaders);
  if ("unknown" in found) return { ip: undefined, text: undefined, fault: found.unknown };
  return { ip: found, text: formatIp(found), fault: "" };
}

/**
 * Asks the lists in turn; all must have the address. The first that enforces and says no gives ERR_ADDRESS_REFUSED;
 * a list in shadow mode only tells `onShadow`.
 */
export function refuseAddress(
  lists: readonly AddressList[],
  sender: SenderAddress,
  onShadow: (refusal: Refusal) => void,
): Refusal | undefined {
  for (const list of lists) {
    if (sender.ip !== undefined && list.has(sender.ip)) continue;
    const reason =
      sender.ip === undefined
        ? `the sender's address cannot be known: ${sender.fault}`
        : `${sender.text} is in no range of the allowlist`;
    const refusal = new Refusal("ERR_ADDRESS_REFUSED", reason);
    if (list.mode === "enforce") return refusal;
    onShadow(refusal);
  }
  return undefined;
}
