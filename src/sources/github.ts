/** @ts-ignore The package is optional: where it is not installed, the next type is `any`, and handlers get unknown data. */
import type { EventPayloadMap } from "@octokit/webhooks-types";
import { isObject, parseStrictJson } from "../lib/json.js";

import { assertOptions, optionKeys } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type { AnyEventMap } from "../types/event.js";
import type { ComposedDelivery, ParsedDelivery, Source, SourceEvent, SourceFault } from "../types/source.js";
import { headerOf, memberOf, secretsOption } from "./settings.js";

/** Each payload with the name it comes under: the event, and its action where it has one. */
type Named<Payloads> = {
  [Name in keyof Payloads & string]: Payloads[Name] extends infer Payload
    ? Payload extends { readonly action: infer Action extends string }
      ? readonly [`${Name}.${Action}`, Payload]
      : readonly [Name, Payload]
    : never;
}[keyof Payloads & string];

type ByName<Entry extends readonly [string, unknown]> = { readonly [E in Entry as E[0]]: E[1] };

// In brackets: a type of a missing package makes an error of a condition that it stands in by itself, not an answer.
/** GitHub's event types and their payloads; any type and unknown data without `@octokit/webhooks-types`. */
export type GithubEventMap = [unknown] extends [EventPayloadMap]
  ? AnyEventMap
  : ByName<Named<EventPayloadMap>>;

/** Options of `github`. */
export interface GithubOptions {
  /** The webhook's secret; several while it is rotated. */
  readonly secret: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * GitHub's webhooks: `X-Hub-Signature-256`, HMAC-SHA-256 in hex over the body; the older SHA-1 header is not looked at.
 * Types are GitHub's event names with the action, where there is one: `push`, `issues.opened`, so that `on("issues.*")`
 * takes all of one event. The id is `X-GitHub-Delivery`. JSON and form-encoded deliveries, a form with the one field `payload`; `data` is the payload, typed by
 * `@octokit/webhooks-types` where that is installed. Nothing but the body is signed, so whoever has a valid delivery can
 * change the event's name and the id. GitHub waits 10 seconds and sends nothing again by itself.
 *
 * @example
 * createReceiver({ name: "hub", source: github({ secret: process.env.GITHUB_SECRET }) });
 */
export function github(options: GithubOptions): Source<GithubEventMap> {
  const where = "github";
  assertOptions(options, optionKeys<GithubOptions>({ secret: true, insecureShortSecret: true }), where);
  const keys = secretsOption(options, where);
  return {
    name: "github",
    bodies: ["json", "form"],
    headers: [
      "x-github-event",
      "x-github-delivery",
      "x-github-hook-id",
      "x-github-hook-installation-target-id",
    ],
    events: readEvent,
    signature: {
      kind: "header",
      headers: [{ signature: "x-hub-signature-256" }],
      variants: [{ label: "sha256=", algorithm: "hmac-sha256", keys }],
      encoding: "hex",
      signed: "{body}",
    },
    deadline: "10s",
    compose: ({ type, id, data }) => compose(type, id, data),
  };
}

function readEvent(delivery: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  const event = headerOf(delivery, "x-github-event");
  if (event === undefined) return { fault: "the header X-GitHub-Event is missing" };
  const data = payloadOf(delivery);
  if (data === undefined)
    return { fault: "the form must have exactly one field, `payload`, that holds JSON" };
  const action = memberOf(data.value, "action");
  const type = typeof action === "string" && action !== "" ? `${event}.${action}` : event;
  return [{ type, id: headerOf(delivery, "x-github-delivery"), data: data.value }];
}

/** Of a form, the field `payload` holds the JSON. */
function payloadOf({ body, kind }: ParsedDelivery): { readonly value: unknown } | undefined {
  if (kind !== "form") return { value: body };
  const payload = Object.keys(body as object).length === 1 ? memberOf(body, "payload") : undefined;
  const json = typeof payload === "string" ? parseStrictJson(payload) : undefined;
  return json?.ok === true ? json : undefined;
}

/** The action of a type stands in the payload, from which it is read. */
function compose(type: string, id: string, data: unknown): ComposedDelivery {
  const dot = type.indexOf(".");
  const event = dot === -1 ? type : type.slice(0, dot);
  const payload = isObject(data) && dot !== -1 ? { ...data, action: type.slice(dot + 1) } : data;
  return {
    headers: { "x-github-event": event, "x-github-delivery": id },
    contentType: "application/json",
    body: JSON.stringify(payload),
  };
}
