import { createHash } from "node:crypto";
import { isObject } from "../lib/members.js";
import type { SourceEvent, SourceFault } from "../types/source.js";
import { memberOf, textOf } from "./reading.js";
import type { WebexNotification, WebexObject, WebexResourceData } from "./webex-types.js";

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
export function readNotification(body: unknown): readonly SourceEvent[] | SourceFault {
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
