import { lookup as dnsLookup } from "node:dns";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { LookupFunction } from "node:net";
import type { Clock } from "../../lib/clock.js";
import { parseStrictJsonBytes } from "../../lib/json.js";

/** The largest key set that is read, in bytes. */
export const maxKeySetBytes = 256 * 1024;

/** How one remote set is fetched. */
export interface KeySetRequest {
  readonly uri: URL;
  /** Certificate authorities in PEM, instead of those that Node trusts. */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Whether an address must not be connected to; undefined: any may. */
  readonly isForbiddenAddress: ((address: string) => boolean) | undefined;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/**
 * Fetches a JWK set over HTTPS and parses it as strict JSON. Rejects, with a reason for the operator, on anything but
 * a 200 of at most 256 KiB without content coding within the timeout: redirects are not followed, and the address is
 * judged when it is connected to, so that DNS cannot answer twice (ATTACKS A32).
 */
export async function fetchKeySet(options: KeySetRequest): Promise<unknown> {
  const parsed = parseStrictJsonBytes(await fetchBytes(options));
  if (!parsed.ok) throw new Error(`the answer ${parsed.reason}`);
  return parsed.value;
}

function fetchBytes({
  uri,
  ca,
  timeoutMs,
  clock,
  isForbiddenAddress,
  signal,
}: KeySetRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = request(uri, {
      // A pooled connection could have been opened under other rules; one fetch in minutes needs no pool.
      agent: false,
      headers: { accept: "application/jwk-set+json, application/json", "accept-encoding": "identity" },
      rejectUnauthorized: true,
      signal,
      ...(ca === undefined ? {} : { ca }),
      ...(isForbiddenAddress === undefined ? {} : { lookup: guardedLookup(isForbiddenAddress) }),
    });
    // Rejecting first: once the response has begun, the request reports no error of its own.
    const fail = (error: Error): void => {
      stopTimer();
      reject(error);
      sent.destroy();
    };
    const stopTimer = clock.after(timeoutMs, () =>
      fail(new Error(`no complete answer within ${timeoutMs} ms`)),
    );
    sent.on("error", fail);
    sent.once("response", (response) => {
      const fault = responseFault(response);
      if (fault !== undefined) return fail(new Error(fault));
      const finish = (bytes: Buffer): void => {
        stopTimer();
        resolve(bytes);
      };
      readBytes(response, finish, fail);
    });
    sent.end();
  });
}

function readBytes(
  response: IncomingMessage,
  resolve: (bytes: Buffer) => void,
  fail: (error: Error) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxKeySetBytes) fail(new Error(`the answer is longer than ${maxKeySetBytes} bytes`));
    else chunks.push(chunk);
  });
  response.on("error", fail);
  response.once("end", () => resolve(Buffer.concat(chunks)));
}

function responseFault({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  if (statusCode >= 300 && statusCode < 400) {
    return `the answer is a redirect (${statusCode}), which is not followed; set jwksUri to where it leads`;
  }
  if (statusCode !== 200) return `the answer has status ${statusCode}`;
  const coding = headers["content-encoding"];
  if (coding !== undefined && coding.toLowerCase() !== "identity") {
    return "the answer has a content coding, which was not asked for";
  }
  if (Number(headers["content-length"] ?? 0) > maxKeySetBytes) {
    return `the answer is longer than ${maxKeySetBytes} bytes`;
  }
  return undefined;
}

/** A lookup that fails where any of a name's addresses is forbidden. */
function guardedLookup(isForbidden: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const [first] = addresses;
      if (first === undefined || addresses.some(({ address }) => isForbidden(address))) {
        const refusal = new Error(
          `${hostname} has an address outside the public internet, which is not connected to; ` +
            "to allow it, set dangerouslyAllowPrivateAddress: true",
        );
        return callback(refusal, "", 0);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
