import type { Duration } from "../lib/duration.js";
import { parseStrictJson } from "../lib/json.js";
import { assertOptions, optionKeys } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  HandshakeRequest,
  ParsedDelivery,
  Source,
  SourceAnswer,
  SourceEvent,
  SourceFault,
  SourceOutcome,
} from "../types/source.js";
import { memberOf, secretsOption, textOf, toleranceOption } from "./settings.js";

/** An event of Slack's Events API in its envelope, which says for which workspace it is. Further members as Slack sends them. */
export interface SlackEnvelope<Type extends string = string> {
  readonly type: "event_callback";
  readonly team_id: string;
  readonly api_app_id: string;
  readonly event_id: string;
  /** Seconds since the epoch. */
  readonly event_time: number;
  readonly event: { readonly type: Type; readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

/** A slash command, field by field. */
export interface SlackCommand {
  /** With its slash. */
  readonly command: string;
  /** The text after the command. */
  readonly text: string;
  readonly user_id: string;
  readonly team_id: string;
  readonly channel_id: string;
  /** Where replies go, up to five within 30 minutes. */
  readonly response_url: string;
  readonly trigger_id: string;
  readonly [field: string]: unknown;
}

/** What a user did with a button, menu, shortcut or modal: the form's `payload`. */
export interface SlackInteraction<Type extends string = string> {
  readonly type: Type;
  readonly user: { readonly id: string; readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

/** Slack held events back: more than 30,000 came for this workspace within an hour. */
export interface SlackRateLimited {
  readonly type: "app_rate_limited";
  readonly team_id: string;
  readonly api_app_id: string;
  /** When it began, in seconds since the epoch. */
  readonly minute_rate_limited: number;
  readonly [member: string]: unknown;
}

type InteractionName =
  | "block_actions"
  | "block_suggestion"
  | "dialog_cancellation"
  | "dialog_submission"
  | "dialog_suggestion"
  | "interactive_message"
  | "message_action"
  | "shortcut"
  | "view_closed"
  | "view_submission";

type AgentEvent =
  | "agent_session_stopped"
  | "agent_session_title_changed"
  | "assistant_thread_context_changed"
  | "assistant_thread_started";

type AppEvent =
  | "app_context_changed"
  | "app_deleted"
  | "app_home_opened"
  | "app_installed"
  | "app_mention"
  | "app_requested"
  | "app_uninstalled"
  | "app_uninstalled_team"
  | "call_rejected"
  | "entity_details_requested"
  | "function_executed"
  | "tokens_revoked"
  | "workflow_deleted"
  | "workflow_published"
  | "workflow_step_deleted"
  | "workflow_step_execute"
  | "workflow_unpublished";

type ConversationEvent =
  | "channel_archive"
  | "channel_created"
  | "channel_deleted"
  | "channel_history_changed"
  | "channel_id_changed"
  | "channel_left"
  | "channel_rename"
  | "channel_shared"
  | "channel_unarchive"
  | "channel_unshared"
  | "group_archive"
  | "group_close"
  | "group_deleted"
  | "group_history_changed"
  | "group_left"
  | "group_open"
  | "group_rename"
  | "group_unarchive"
  | "im_close"
  | "im_created"
  | "im_history_changed"
  | "im_open"
  | "invite_requested"
  | "member_joined_channel"
  | "member_left_channel"
  | "shared_channel_invite_accepted"
  | "shared_channel_invite_approved"
  | "shared_channel_invite_declined"
  | "shared_channel_invite_received"
  | "shared_channel_invite_requested";

type MessageEvent =
  | "link_shared"
  | "message"
  | "message_metadata_deleted"
  | "message_metadata_posted"
  | "message_metadata_updated"
  | "pin_added"
  | "pin_removed"
  | "reaction_added"
  | "reaction_removed"
  | "star_added"
  | "star_removed";

type FileEvent =
  | "file_change"
  | "file_comment_deleted"
  | "file_created"
  | "file_deleted"
  | "file_public"
  | "file_shared"
  | "file_unshared";

type TeamEvent =
  | "dnd_updated"
  | "dnd_updated_user"
  | "email_domain_changed"
  | "emoji_changed"
  | "grid_migration_finished"
  | "grid_migration_started"
  | "subteam_created"
  | "subteam_members_changed"
  | "subteam_self_added"
  | "subteam_self_removed"
  | "subteam_updated"
  | "team_access_granted"
  | "team_access_revoked"
  | "team_domain_change"
  | "team_join"
  | "team_rename"
  | "user_change"
  | "user_huddle_changed"
  | "user_profile_changed"
  | "user_status_changed";

type EventName = AgentEvent | AppEvent | ConversationEvent | MessageEvent | FileEvent | TeamEvent;

/**
 * What comes from Slack: events under their own names, `command.NAME` (without the slash), `interaction.TYPE`, and
 * `app_rate_limited`. For a name that is missing here give the receiver `events: uncheckedTypes<…>()`.
 */
export type SlackEventMap = {
  readonly [Type in EventName]: SlackEnvelope<Type>;
} & {
  readonly [Type in InteractionName as `interaction.${Type}`]: SlackInteraction<Type>;
} & {
  readonly [type: `command.${string}`]: SlackCommand;
  readonly app_rate_limited: SlackRateLimited;
};

/** Options of `slack`. */
export interface SlackOptions {
  /** The app's signing secret, under Basic Information; several while it is rotated. Not the verification token. */
  readonly secret: SigningSecrets | undefined;
  /** Seconds that a delivery's timestamp may lie before or behind our clock, 1 to 3,600. Default: 300, as Slack advises. */
  readonly tolerance?: Duration | undefined;
  /** `true` takes a secret of fewer than 24 bytes. Default: refused. Slack's have 32. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * Slack's Events API, slash commands and interactivity on one URL. `X-Slack-Signature`, HMAC-SHA-256 in hex after `v0=`,
 * over `v0:{timestamp}:{body}` with `X-Slack-Request-Timestamp`, which may lie 300 seconds off.
 *
 * | what | type | id (signed) | data |
 * |---|---|---|---|
 * | event | its own, such as `app_mention` | `event_id` | the envelope, with the event as `data.event` |
 * | slash command | `command.NAME`, without the slash | `trigger_id` | the fields of the form |
 * | interaction | `interaction.TYPE`, such as `interaction.block_actions` | `trigger_id`, if any | the payload |
 * | events held back | `app_rate_limited` | from the bytes | the body |
 *
 * `url_verification` is answered after the signature check. Slack takes any 2xx within 3 seconds; it sends an event three
 * times more (at once, after 1 and 5 minutes, with `X-Slack-Retry-Num` and `-Reason`), a command or an interaction never. What
 * answers a command or an interaction is shown to its user, so those get 200 without a body: reply through `response_url`.
 * What must be in the answer itself (options of `block_suggestion`, errors of `view_submission`) cannot be given here.
 *
 * @example
 * createReceiver({ name: "chat", source: slack({ secret: process.env.SLACK_SIGNING_SECRET }) });
 */
export function slack(options: SlackOptions): Source<SlackEventMap> {
  const where = "slack";
  assertOptions(
    options,
    optionKeys<SlackOptions>({ secret: true, tolerance: true, insecureShortSecret: true }),
    where,
  );
  const keys = secretsOption(options, where);
  return {
    name: "slack",
    bodies: ["json", "form"],
    headers: ["x-slack-retry-num", "x-slack-retry-reason"],
    events: readEvent,
    signature: {
      kind: "header",
      headers: [{ signature: "x-slack-signature", timestamp: "x-slack-request-timestamp" }],
      variants: [{ label: "v0=", algorithm: "hmac-sha256", keys }],
      encoding: "hex",
      signed: "v0:{timestamp}:{body}",
      tolerance: toleranceOption(options, where),
    },
    // Slack promises the same event_id in a retry, not the same bytes.
    deduplicateBy: "id",
    deadline: "3s",
    handshake,
    answer,
    compose,
  };
}

function readEvent({ body, kind }: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  return kind === "form" ? readForm(body) : readEnvelope(body);
}

function readEnvelope(body: unknown): readonly SourceEvent[] | SourceFault {
  const envelope = textOf(body, "type");
  if (envelope === "app_rate_limited") return [{ type: envelope, data: body }];
  const type = textOf(body, "event.type");
  if (envelope !== "event_callback" || type === undefined) {
    return { fault: "the body is no event_callback with an event that has a type" };
  }
  // The names below are given by this source: an event must not pass for a command.
  if (type.includes(".")) return { fault: "the type of the event holds a dot, which none of Slack's does" };
  return [{ type, id: textOf(body, "event_id"), data: body }];
}

function readForm(form: unknown): readonly SourceEvent[] | SourceFault {
  const command = textOf(form, "command");
  if (command !== undefined) {
    const name = command.startsWith("/") ? command.slice(1) : command;
    if (name === "") return { fault: "the slash command has no name" };
    return [{ type: `command.${name}`, id: textOf(form, "trigger_id"), data: form }];
  }
  const payload = textOf(form, "payload");
  const parsed = payload === undefined ? undefined : parseStrictJson(payload);
  if (parsed?.ok !== true)
    return { fault: "the form has neither `command` nor one `payload` that holds JSON" };
  const type = textOf(parsed.value, "type");
  if (type === undefined) return { fault: "the payload of the interaction has no type" };
  return [{ type: `interaction.${type}`, id: textOf(parsed.value, "trigger_id"), data: parsed.value }];
}

/** Both come once the signature holds; Slack's own check of a certificate by GET holds nothing that could be believed. */
function handshake({ method, url, body }: HandshakeRequest): SourceAnswer | undefined {
  if (method === "GET") return /[?&]ssl_check=1(&|$)/.test(url) ? { status: 200 } : undefined;
  if (memberOf(body, "ssl_check") === "1") return { status: 200 };
  const challenge = textOf(body, "challenge");
  if (memberOf(body, "type") !== "url_verification" || challenge === undefined) return undefined;
  return { status: 200, headers: { "content-type": "text/plain; charset=utf-8" }, body: challenge };
}

const taken: ReadonlySet<SourceOutcome["status"]> = new Set(["handled", "accepted", "duplicate", "ignored"]);

function answer({ status, bodyKind }: SourceOutcome): SourceAnswer | undefined {
  return bodyKind === "form" && taken.has(status) ? { status: 200 } : undefined;
}

function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  const given = typeof data === "object" && data !== null ? data : {};
  const [kind, ...rest] = type.split(".");
  const name = rest.join(".");
  if (kind === "command") return form({ command: `/${name}`, text: "", trigger_id: id, ...given });
  if (kind === "interaction") {
    return form({ payload: JSON.stringify({ type: name, trigger_id: id, ...given }) });
  }
  const event_time = Math.floor(nowMs / 1_000);
  const envelope = Object.hasOwn(given, "event") ? given : { event: { ...given, type } };
  const body =
    type === "app_rate_limited"
      ? { type, minute_rate_limited: event_time, ...given }
      : { type: "event_callback", event_time, ...envelope, event_id: id };
  return { headers: {}, contentType: "application/json", body: JSON.stringify(body) };
}

function form(fields: Record<string, unknown>): ComposedDelivery {
  const pairs = Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)]);
  return {
    headers: {},
    contentType: "application/x-www-form-urlencoded",
    body: new URLSearchParams(pairs).toString(),
  };
}
