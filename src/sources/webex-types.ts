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
