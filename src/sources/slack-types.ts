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
  /** What the user wrote behind it. */
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
