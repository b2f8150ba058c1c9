import { randomUUID } from "node:crypto";
import type { SignatureScheme } from "../types/signature.js";
import type { ComposedDelivery, Source } from "../types/source.js";
import { signMessageScheme } from "./http-message/sign-scheme.js";
import { parsePublicUrl } from "./public-url.js";
import { otherHeaders, signHeader } from "./sign-header.js";
import { signTokenHeader } from "./sign-token.js";
import { asSignedRequest, type SigningOptions, type Unsigned } from "./signing.js";

/** An event to be sent. */
export interface EventToSend {
  /** As handlers know it: `issues.opened`. */
  readonly type: string;
  /** Default: a random one. */
  readonly id?: string | undefined;
  readonly data?: unknown;
}

/** What signs a delivery, and what of it is not as its source would write it. */
export interface SignedDeliveryOptions extends SigningOptions {
  /** Sent and signed as it is, in place of what the source makes of the event's data. */
  readonly body?: string | Uint8Array | undefined;
}

/** A delivery with its signature, as `sendDelivery` takes it. */
export interface SignedDelivery {
  readonly path: string;
  readonly body: Buffer;
  readonly contentType: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A delivery as the source's senders would send it: written by the source, signed with the source's own secrets, or with
 * `privateKey` where those are public keys. Where the receiver asks for a key or a token of its own (`auth`), add it.
 * TypeError where the source does not say how an event is written, and where nothing given can sign.
 *
 * @example
 * const delivery = await signedDelivery(github({ secret }), { type: "push", data: { ref: "refs/heads/main" } }, { path: "/hooks" });
 * const answer = await sendDelivery(app, delivery);
 */
export async function signedDelivery<EventMap>(
  source: Source<EventMap>,
  event: EventToSend,
  options: SignedDeliveryOptions = {},
): Promise<SignedDelivery> {
  const nowMs = options.nowMs ?? Date.now();
  const id = event.id ?? randomUUID();
  const composed = composedOf(source, { ...event, id, nowMs }, options);
  return sign(source, composed, { ...options, nowMs, id });
}

/**
 * The headers that sign bytes as they are, with the content type among them: for deliveries that no source would write.
 * `id` is that of the event, where its sender signs it in a header. TypeErrors as `signedDelivery`.
 */
export async function signBody<EventMap>(
  source: Source<EventMap>,
  rawBody: string | Uint8Array,
  options: SigningOptions & { readonly id?: string | undefined } = {},
): Promise<Readonly<Record<string, string>>> {
  const contentType = options.contentType ?? "application/json";
  const unsigned = { headers: {}, contentType, rawBody: Buffer.from(rawBody as string) };
  const { nowMs = Date.now(), id = randomUUID() } = options;
  const signed = await sign(source, unsigned, { ...options, nowMs, id });
  return { "content-type": signed.contentType, ...signed.headers };
}

interface Written extends Omit<ComposedDelivery, "body"> {
  readonly rawBody: Buffer;
}

function composedOf<EventMap>(
  source: Source<EventMap>,
  event: EventToSend & { readonly id: string; readonly nowMs: number },
  { body, contentType }: SignedDeliveryOptions,
): Written {
  const composed = source.compose?.({ ...event, data: event.data });
  const text = body ?? composed?.body;
  if (text === undefined) {
    throw new TypeError(`the source ${source.name} does not say how an event is written: give the body`);
  }
  return {
    headers: composed?.headers ?? {},
    contentType: contentType ?? composed?.contentType ?? "application/json",
    rawBody: Buffer.from(text as string),
  };
}

async function sign<EventMap>(
  source: Source<EventMap>,
  written: Written,
  options: SigningOptions & { readonly nowMs: number; readonly id: string },
): Promise<SignedDelivery> {
  const { path = "/", id, nowMs } = options;
  const given = lowerCased(options.headers ?? {});
  const { rawBody } = written;
  const contentType = given["content-type"] ?? written.contentType;
  const url = source.composeUrl?.(path, { contentType, rawBody }) ?? path;
  const headers: Record<string, string> = { ...lowerCased(written.headers), ...given };
  if (source.signature?.kind === "header") {
    for (const name of otherHeaders(source.signature, given))
      if (!Object.hasOwn(given, name)) delete headers[name];
  }
  const length = { "content-type": contentType, "content-length": String(rawBody.length) };
  const unsigned: Unsigned = { method: "POST", url, headers: { ...headers, ...length }, rawBody, id, nowMs };
  const token = source.auth === undefined ? {} : await signTokenHeader(source.auth, unsigned, options);
  const signature =
    source.signature === undefined ? {} : await signScheme(source.signature, unsigned, options);
  const { "content-type": _, ...others } = headers;
  return { path: url, body: rawBody, contentType, headers: { ...others, ...token, ...signature } };
}

async function signScheme(
  scheme: SignatureScheme,
  delivery: Unsigned,
  options: SigningOptions,
): Promise<Readonly<Record<string, string>>> {
  switch (scheme.kind) {
    case "header":
      return signHeader(scheme, delivery, options);
    case "http-message":
      return signMessageScheme(scheme, delivery, options);
    case "custom": {
      if (options.sign === undefined) {
        throw new TypeError(
          "this source checks signatures by code, which only you know how to make: give `sign`",
        );
      }
      const publicUrl = parsePublicUrl(scheme.publicUrl, "source.signature.publicUrl")?.(delivery.url);
      return options.sign(asSignedRequest(delivery, publicUrl), delivery.nowMs);
    }
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
