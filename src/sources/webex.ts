import { createHash } from "node:crypto";
import { isObject } from "../lib/json.js";
import { assertOptions, optionKeys } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type { ComposedDelivery, ComposeEvent, Source, SourceEvent, SourceFault } from "../types/source.js";
import { memberOf, secretsOption, textOf } from "./settings.js";

import { plainSuccess } from "./webex-connect/answers.js";

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
  assertOptions(options, optionKeys<WebexOptions>({ secret: true, insecureShortSecret: true }), where);
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

/** Without the index signature, behind which the members' own names are lost. */
type Known<Type> = { [Name in keyof Type as string extends Name ? never : Name]-?: Type[Name] };

/** The names of an interface's members that hold one kind of value. */
type NamesOf<Type, Kind> = {
  [Name in keyof Known<Type>]: Known<Type>[Name] extends Kind ? Name & string : never;
}[keyof Known<Type>];

/** What is checked of a resource's data: exactly the members that its interface types. */
type Checked<Data> = {
  readonly [Name in NamesOf<Data, string>]: "string";
} & { readonly [Name in NamesOf<Data, boolean>]: "boolean" } & {
  readonly [Name in NamesOf<Data, WebexObject>]: "object";
};

const registration: Readonly<
  Record<Exclude<NamesOf<WebexNotification, string>, "resource" | "event">, "string">
> = {
  ...{ id: "string", name: "string", filter: "string", orgId: "string", createdBy: "string" },
  ...{ appId: "string", ownedBy: "string", status: "string", actorId: "string" },
};

const recording: Checked<WebexResourceData["recordings"]> = {
  ...{ id: "string", meetingId: "string", topic: "string", hostEmail: "string", ownerId: "string" },
  ...{ ownerEmail: "string", format: "string", status: "string" },
  ...{ createTime: "string", timeRecorded: "string" },
};

const resources: { readonly [Resource in keyof WebexResourceData]: Checked<WebexResourceData[Resource]> } = {
  messages: {
    ...{ id: "string", roomId: "string", roomType: "string", parentId: "string", personId: "string" },
    ...{ personEmail: "string", created: "string", updated: "string" },
  },
  memberships: {
    ...{ id: "string", roomId: "string", roomType: "string", personId: "string", personEmail: "string" },
    ...{ personDisplayName: "string", personOrgId: "string", created: "string" },
    ...{ isModerator: "boolean", isMonitor: "boolean" },
  },
  rooms: {
    ...{ id: "string", title: "string", type: "string", teamId: "string", creatorId: "string" },
    ...{ lastActivity: "string", created: "string", isLocked: "boolean" },
  },
  attachmentActions: {
    ...{ id: "string", type: "string", messageId: "string", personId: "string", roomId: "string" },
    created: "string",
  },
  meetings: {
    ...{ id: "string", meetingSeriesId: "string", meetingNumber: "string", title: "string" },
    ...{ meetingType: "string", state: "string", start: "string", end: "string", timezone: "string" },
    ...{ hostUserId: "string", hostEmail: "string", hostDisplayName: "string" },
  },
  recordings: recording,
  convergedRecordings: recording,
  meetingParticipants: {
    ...{ id: "string", meetingId: "string", hostEmail: "string", email: "string", displayName: "string" },
    ...{ state: "string", joinedTime: "string", leftTime: "string" },
  },
  meetingTranscripts: {
    ...{ id: "string", meetingId: "string", meetingTopic: "string", hostUserId: "string" },
    ...{ startTime: "string", status: "string" },
  },
  telephony_calls: {
    ...{ callId: "string", callSessionId: "string", eventType: "string", eventTimestamp: "string" },
    ...{ personality: "string", state: "string", created: "string", answered: "string" },
    ...{ disconnected: "string", muted: "boolean", remoteParty: "object" },
  },
  serviceApp: { id: "string", authorizerOrgId: "string", authorizationDate: "string" },
};

const checks: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map(Object.entries(resources));
const unchecked: Readonly<Record<string, string>> = {};

/** The event of a notification. What does not have the kind that its type says is left out: `rawBody` still has it. */
function readNotification(body: unknown): readonly SourceEvent[] | SourceFault {
  const resource = textOf(body, "resource");
  const event = textOf(body, "event");
  if (!isObject(body) || resource === undefined || event === undefined) {
    return { fault: "the notification does not name its resource and its event" };
  }
  const sent = memberOf(body, "data");
  const data = fitting(isObject(sent) ? sent : {}, checks.get(resource) ?? unchecked);
  return [
    {
      type: `${resource}.${event}`,
      id: idOf(body, `${resource}.${event}`, sent),
      data: { ...fitting(body, registration), resource, event, data },
    },
  ];
}

function fitting(object: WebexObject, check: Readonly<Record<string, string>>): WebexObject {
  const entries = Object.entries(object).filter(([name, value]) => {
    const kind = Object.hasOwn(check, name) ? check[name] : undefined;
    return kind === undefined || (kind === "object" ? isObject(value) : typeof value === kind);
  });
  return Object.fromEntries(entries);
}

const longestId = 150;

/**
 * Webex gives a delivery no id, and `id` is the registration's. One thing may have several events of one type, so the id
 * is made of all that tells them apart; two notifications that say the very same are one.
 */
function idOf(body: WebexObject, type: string, data: unknown): string {
  const known = textOf(data, "id") ?? textOf(data, "callId") ?? "";
  const about = known.length <= longestId ? known : "";
  const all = JSON.stringify([
    type,
    memberOf(body, "id"),
    memberOf(body, "orgId"),
    memberOf(body, "actorId"),
    data,
  ]);
  return `${about}:${createHash("sha256").update(all).digest("hex").slice(0, 32)}`;
}

/** Resources that a webhook may watch, as the description of the Webhooks API names them. */
export type WebexResource =
  | "attachmentActions"
  | "dataSources"
  | "memberships"
  | "messages"
  | "rooms"
  | "meetings"
  | "recordings"
  | "convergedRecordings"
  | "meetingParticipants"
  | "meetingTranscripts"
  | "telephony_calls"
  | "telephony_conference"
  | "telephony_mwi"
  | "uc_counters"
  | "serviceApp"
  | "adminBatchJobs";

/** What may happen to a resource. Not every resource knows every event: the event reference of Webex says which. */
export type WebexAction =
  | "created"
  | "updated"
  | "deleted"
  | "started"
  | "ended"
  | "joined"
  | "left"
  | "migrated"
  | "authorized"
  | "deauthorized"
  | "statusChanged";

/** What a notification says of the thing it is about. Further members come as they were sent. */
export interface WebexObject {
  readonly [member: string]: unknown;
}

/** A message. Its text is never there: fetch it by its id, with a token that may read it. */
export interface WebexMessage extends WebexObject {
  readonly id?: string;
  readonly roomId?: string;
  readonly roomType?: string;
  readonly parentId?: string;
  readonly personId?: string;
  readonly personEmail?: string;
  readonly created?: string;
  readonly updated?: string;
}

/** Someone's place in a room. Its id is the same when they leave and come back. */
export interface WebexMembership extends WebexObject {
  readonly id?: string;
  readonly roomId?: string;
  readonly roomType?: string;
  readonly personId?: string;
  readonly personEmail?: string;
  readonly personDisplayName?: string;
  readonly personOrgId?: string;
  readonly isModerator?: boolean;
  readonly isMonitor?: boolean;
  readonly created?: string;
}

/** A room, which Webex's apps call a space. */
export interface WebexRoom extends WebexObject {
  readonly id?: string;
  readonly title?: string;
  readonly type?: string;
  readonly teamId?: string;
  readonly creatorId?: string;
  readonly isLocked?: boolean;
  readonly lastActivity?: string;
  readonly created?: string;
}

/** What a user did with a card. What they entered is not there: fetch it by its id. */
export interface WebexAttachmentAction extends WebexObject {
  readonly id?: string;
  readonly type?: string;
  readonly messageId?: string;
  readonly personId?: string;
  readonly roomId?: string;
  readonly created?: string;
}

/** A meeting. */
export interface WebexMeeting extends WebexObject {
  readonly id?: string;
  readonly meetingSeriesId?: string;
  readonly meetingNumber?: string;
  readonly title?: string;
  readonly meetingType?: string;
  readonly state?: string;
  readonly start?: string;
  readonly end?: string;
  readonly timezone?: string;
  readonly hostUserId?: string;
  readonly hostEmail?: string;
  readonly hostDisplayName?: string;
}

/** A recording of a meeting or a call. */
export interface WebexRecording extends WebexObject {
  readonly id?: string;
  readonly meetingId?: string;
  readonly topic?: string;
  readonly hostEmail?: string;
  readonly ownerId?: string;
  readonly ownerEmail?: string;
  readonly format?: string;
  readonly status?: string;
  readonly createTime?: string;
  readonly timeRecorded?: string;
}

/** Someone in a meeting. */
export interface WebexMeetingParticipant extends WebexObject {
  readonly id?: string;
  readonly meetingId?: string;
  readonly hostEmail?: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly state?: string;
  readonly joinedTime?: string;
  readonly leftTime?: string;
}

/** A transcript of a meeting. */
export interface WebexMeetingTranscript extends WebexObject {
  readonly id?: string;
  readonly meetingId?: string;
  readonly meetingTopic?: string;
  readonly hostUserId?: string;
  readonly startTime?: string;
  readonly status?: string;
}

/** A call of Webex Calling. It has no `id`. */
export interface WebexCall extends WebexObject {
  readonly callId?: string;
  readonly callSessionId?: string;
  readonly eventType?: string;
  readonly eventTimestamp?: string;
  readonly personality?: string;
  readonly state?: string;
  readonly created?: string;
  readonly answered?: string;
  readonly disconnected?: string;
  readonly muted?: boolean;
  readonly remoteParty?: WebexObject;
}

/** A Service App that an organisation let in, or no longer does. */
export interface WebexServiceApp extends WebexObject {
  readonly id?: string;
  readonly authorizerOrgId?: string;
  readonly authorizationDate?: string;
}

/** The data of each resource that is typed; of the others every member is unknown. */
export interface WebexResourceData {
  readonly messages: WebexMessage;
  readonly memberships: WebexMembership;
  readonly rooms: WebexRoom;
  readonly attachmentActions: WebexAttachmentAction;
  readonly meetings: WebexMeeting;
  readonly recordings: WebexRecording;
  readonly convergedRecordings: WebexRecording;
  readonly meetingParticipants: WebexMeetingParticipant;
  readonly meetingTranscripts: WebexMeetingTranscript;
  readonly telephony_calls: WebexCall;
  readonly serviceApp: WebexServiceApp;
}

/** A notification: the webhook's registration, who did it, and what it is about. */
export interface WebexNotification<
  Resource extends string = string,
  Action extends string = string,
  Data = WebexObject,
> {
  /** Of the webhook's registration: the same in each of its notifications. */
  readonly id?: string;
  readonly name?: string;
  readonly resource: Resource;
  readonly event: Action;
  readonly filter?: string;
  readonly orgId?: string;
  readonly createdBy?: string;
  readonly appId?: string;
  /** `creator` or `org`. */
  readonly ownedBy?: string;
  readonly status?: string;
  /** Who did it. */
  readonly actorId?: string;
  readonly data: Data;
}

/**
 * Webex's event types, `RESOURCE.EVENT`, and the notifications. Resources and events beyond them come in under the same
 * rule; `onAny` and patterns such as `"messages.*"` get those too.
 */
export type WebexEventMap = {
  readonly [Resource in WebexResource as `${Resource}.${WebexAction}`]: WebexNotification<
    Resource,
    WebexAction,
    Resource extends keyof WebexResourceData ? WebexResourceData[Resource] : WebexObject
  >;
};
