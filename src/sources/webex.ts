import { assertOptions } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type { ComposedDelivery, ComposeEvent, Source } from "../types/source.js";
import { secretsOption } from "./settings.js";
import { plainSuccess } from "./webex-connect-outbound-answer.js";
import { readNotification } from "./webex-notification.js";
import type { WebexEventMap } from "./webex-types.js";

export type {
  WebexAction,
  WebexAttachmentAction,
  WebexCall,
  WebexEventMap,
  WebexMeeting,
  WebexMeetingParticipant,
  WebexMeetingTranscript,
  WebexMembership,
  WebexMessage,
  WebexNotification,
  WebexObject,
  WebexRecording,
  WebexResource,
  WebexResourceData,
  WebexRoom,
  WebexServiceApp,
} from "./webex-types.js";

/** Options of `webex`. */
export interface WebexOptions {
  /** The `secret` that the webhook was registered with; several while it is rotated, or of several registrations. */
  readonly secret: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * Webex's own webhooks (developer.webex.com), not those of Webex Connect or of its Contact Center. `X-Spark-Signature`,
 * HMAC-SHA-1 in hex over the body: Webex documents no other hash. For an HMAC SHA-1 still holds (RFC 6194).
 *
 * Types are the resource and the event: `messages.created`, so that `on("messages.*")` takes all of one resource; `data` is the
 * whole notification, and `data.data` what it is about; a member of another kind than its type says is left out.
 * Resources that are not known come in under the same rule. A notification says little: fetch the rest by id.
 *
 * Webex gives deliveries no id, and their `id` is the registration's; so the event's is made of type, registration, actor
 * and data, all signed: a retry is a duplicate, and so is a second notification that says the very same, such as of a
 * moderator who was named, dismissed and named again.
 *
 * Answered with 200. Webex documents neither how long it waits, for which 10 seconds are taken, nor whether it sends again;
 * a webhook whose deliveries keep failing becomes `inactive` until it is set `active` by its API.
 *
 * @example
 * createReceiver({ name: "spaces", source: webex({ secret: process.env.WEBEX_SECRET }) });
 */
export function webex(options: WebexOptions): Source<WebexEventMap> {
  const where = "webex";
  assertOptions(options, ["secret", "insecureShortSecret"], where);
  const keys = secretsOption(options, where);
  return {
    name: "webex",
    bodies: ["json"],
    headers: [],
    events: ({ body }) => readNotification(body),
    signature: {
      kind: "header",
      headers: [{ signature: "x-spark-signature" }],
      variants: [{ label: "", algorithm: "hmac-sha1", keys }],
      encoding: "hex",
      signed: "{body}",
    },
    // The registration's own name, filter and status may change between two attempts.
    deduplicateBy: "id",
    deadline: "10s",
    answer: plainSuccess,
    compose,
  };
}

/** Data may be a whole notification, or what one is about; `id` becomes the registration's. */
function compose({ type, id, data }: ComposeEvent): ComposedDelivery {
  const [resource, event] = type.split(".");
  const isWhole = typeof data === "object" && data !== null && Object.hasOwn(data, "data");
  const notification = isWhole
    ? { ...data, resource, event }
    : { id, name: type, resource, event, status: "active", data };
  return { headers: {}, contentType: "application/json", body: JSON.stringify(notification) };
}
