/** What a channel's notifications hold, by the names that handlers see. */
export interface MemberTable {
  readonly text: readonly string[];
  /** Objects, or JSON text of one; undefined where there is none. */
  readonly objects: readonly string[];
  /** Lists of objects, or JSON text of one. */
  readonly lists: readonly string[];
  /** Lists of strings, JSON text of one, or one string. */
  readonly texts: readonly string[];
}

/** Members of every receipt. */
export const receiptCommon = [
  "deliveryChannel",
  "deliveryStatus",
  "destination",
  "destinationType",
  "code",
  "description",
  "timestamp",
  "additionalInfo",
  "transId",
  "subTransId",
  "correlationId",
  "callbackData",
] as const;

/** Members of the receipts of each channel, beyond those of every receipt. */
export const receiptMembers = {
  sms: { text: ["carrier", "messageCount"], objects: [], lists: [], texts: [] },
  whatsapp: {
    text: ["waid", "waidNormalized", "bsuid", "identityKeyHash"],
    objects: [],
    lists: [],
    texts: [],
  },
  rcs: { text: ["carrier", "serviceProvider"], objects: [], lists: [], texts: [] },
  mms: { text: ["sentAs"], objects: [], lists: [], texts: [] },
  messenger: { text: [], objects: [], lists: [], texts: [] },
  instagram: { text: ["messageId"], objects: [], lists: [], texts: [] },
  in_app: { text: ["deviceId"], objects: ["interactiveData", "interaction"], lists: [], texts: [] },
  push: { text: ["pushId", "deviceId"], objects: ["interaction"], lists: [], texts: [] },
  email: { text: [], objects: [], lists: [], texts: [] },
  apple: { text: [], objects: [], lists: [], texts: [] },
  voice: { text: ["deliveryTransInfo"], objects: [], lists: [], texts: [] },
} as const satisfies Readonly<Record<string, MemberTable>>;

/** Members of every incoming message and event. */
export const messageCommon = ["tid", "ts", "timestamp", "appId", "userId"] as const;

/** Members of the incoming messages and events of each channel, beyond those of all. */
export const messageMembers = {
  sms: {
    text: ["oa", "da", "message", "messageCount", "messageSource", "datetime", "networkId"],
    objects: [],
    lists: [],
    texts: [],
  },
  mms: { text: ["oa", "da", "message"], objects: [], lists: ["attachments"], texts: [] },
  whatsapp: {
    text: [
      ...["waid", "waidDerived", "bsuid", "identityKeyHash", "username", "userHandle"],
      ...["message", "type", "system", "contextId", "errors"],
      ...["buttonPayload", "buttonText", "replyButtonIdentifier", "replyButtonTitle"],
      ...["listRowIdentifier", "listRowTitle", "listRowDescription"],
    ],
    objects: ["location"],
    lists: ["attachments", "contacts", "userPreferences"],
    texts: [],
  },
  rcs: {
    text: [
      ...["msisdn", "message", "messageId", "postback"],
      ...["latitude", "longitude", "carrier", "serviceProvider"],
    ],
    objects: [],
    lists: ["attachments"],
    texts: [],
  },
  messenger: {
    text: ["psid", "message", "name", "profilePic", "locale", "gender", "timezone"],
    objects: ["postback"],
    lists: ["attachments"],
    texts: [],
  },
  instagram: {
    text: [
      ...["igsid", "message", "messageId", "messageType", "attachmentType", "attachmentUrl"],
      ...["storyReplyUrl", "repliedMessageId", "reaction", "payload", "title"],
    ],
    objects: ["quickReplyPayload"],
    lists: ["attachments"],
    texts: [],
  },
  in_app: {
    text: ["message", "type", "replyTo", "relatedTid", "clientId", "threadId", "threadTitle"],
    objects: ["thread", "extras", "interactiveData", "pciInfo", "malwareInfo", "securityScanInfo"],
    lists: ["attachments"],
    texts: [],
  },
  email: {
    text: [
      ...["from", "subject", "textMessage", "htmlMessage", "messageId", "returnPath"],
      ...["senderId", "correlationId"],
    ],
    objects: [],
    lists: ["attachments"],
    texts: ["to"],
  },
  apple: {
    text: [
      ...["abcUserId", "abcAccountId", "message", "type", "requestIdentifier", "locale", "timezone"],
      ...["bizGroupId", "bizIntentId", "capabilities", "capabilityList", "deviceAgent", "bid"],
      ...["authenticateStatus", "authenticateToken", "msisdn", "invitationAccepted"],
      ...["paymentStatus", "merchantIdentifier", "merchantSessionIdentifier"],
    ],
    objects: [
      ...["datePicker", "listPicker", "quickReplies", "formResponse"],
      ...["paymentRequest", "invitationResponse"],
    ],
    lists: ["attachments"],
    texts: [],
  },
} as const satisfies Readonly<Record<string, MemberTable>>;

/** Members whose name on the wire is another one, not only another spelling. In lower case, without `_`. */
export const otherNames: ReadonlyMap<string, string> = new Map([
  ["userld", "userId"],
  ["subtid", "subTransId"],
  ["xnetworkid", "networkId"],
  ["attachment", "attachments"],
]);
