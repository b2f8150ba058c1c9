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
import { memberOf, textOf } from "./reading.js";
import { secretsOption, toleranceOption } from "./settings.js";
import type { SlackEventMap } from "./slack-types.js";

export type {
  SlackCommand,
  SlackEnvelope,
  SlackEventMap,
  SlackInteraction,
  SlackRateLimited,
} from "./slack-types.js";

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
 * Slack's Events API, slash commands and interactivity on one URL. `X-Slack-Signature`, HMAC-SHA-256 in hex behind `v0=`,
 * over `v0:{timestamp}:{body}` with `X-Slack-Request-Timestamp`, which may lie 300 seconds off.
 *
 * | what | type | id (signed) | data |
 * |---|---|---|---|
 * | event | its own, such as `app_mention` | `event_id` | the envelope, with the event as `data.event` |
 * | slash command | `command.NAME`, without the slash | `trigger_id` | the fields of the form |
 * | interaction | `interaction.TYPE`, such as `interaction.block_actions` | `trigger_id`, if any | the payload |
 * | events held back | `app_rate_limited` | from the bytes | the body |
 *
 * `url_verification` is answered behind the signature check. Slack takes any 2xx within 3 seconds; it sends an event three
 * times more (at once, after 1 and 5 minutes, with `X-Slack-Retry-Num` and `-Reason`), a command or an interaction never. What
 * answers a command or an interaction is shown to its user, so those get 200 without a body: reply through `response_url`.
 * What must stand in the answer itself (options of `block_suggestion`, errors of `view_submission`) cannot be given here.
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
