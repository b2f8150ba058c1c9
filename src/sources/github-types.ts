/** @ts-ignore The package is optional: where it is not installed, the next type is `any`, and handlers get unknown data. */
import type { EventPayloadMap } from "@octokit/webhooks-types";
import type { AnyEventMap } from "../types/event.js";

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
