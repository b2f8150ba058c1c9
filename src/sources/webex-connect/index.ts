import { assertOptions, describe, OptionError, optionKeys, own, stringOption } from "../../lib/options.js";
import type { ParsedDelivery, Source, SourceEvent, SourceFault } from "../../types/source.js";
import { memberOf, pathOption } from "../settings.js";

import { webexConnectAnswer } from "./answers.js";
import { commonOptions, parseCommonOptions, type WebexConnectCommonOptions } from "./options.js";

export {
  type WebexConnectAnswerOptions,
  type WebexConnectAnswers,
  type WebexConnectCode,
  type WebexConnectResult,
  webexConnectAnswer,
  webexConnectResponse,
} from "./answers.js";
export {
  type WebexConnectCustomEvent,
  type WebexConnectEventMap,
  type WebexConnectEventsOptions,
  webexConnectEvents,
} from "./events.js";
export type { WebexConnectCommonOptions, WebexConnectSignature } from "./options.js";
export {
  type WebexConnectServiceJwt,
  type WebexConnectServiceJwtOptions,
  webexConnectServiceJwt,
} from "./options.js";

/** Options of `webexConnect`. */
export interface WebexConnectOptions extends WebexConnectCommonOptions {
  /** Member path of the event's type, or its one name. Default: `{ name: "inbound" }`. */
  readonly type?:
    | string
    | {
        /** The type of every event. */
        readonly name: string;
      }
    | undefined;
  /**
   * Member path of the sender's own id. Default, and where there is none: derived from the body's bytes, so that for an
   * inbox equal bodies are one event.
   */
  readonly id?: string | undefined;
  /** Member path of the event's data. Default: the whole body. */
  readonly data?: string | undefined;
  /** `false` refuses XML. Default: JSON and XML are taken, as the vendor does. */
  readonly xml?: boolean | undefined;
}

const optionNames = optionKeys<WebexConnectOptions>({
  ...commonOptions,
  type: true,
  id: true,
  data: true,
  xml: true,
});

/**
 * An inbound webhook of Webex Connect, with you as the platform: whoever has its URL sends any JSON or XML. Credentials are
 * the receiver's `auth`: the header `key`, or a service's JWT in `Authorization: Bearer` (`webexConnectServiceJwt`), which
 * has priority; a JWT that does not pass is not made good by a key. An HMAC over the body may be asked for as well
 * (`signature`). Bodies: 256 KB, unless `body.maxBytes` says otherwise. Nothing is documented of how long callers wait
 * or what they send again.
 *
 * @example
 * createReceiver({ name: "orders", source: webexConnect({ id: "order.id" }), auth: { serviceKey } });
 */
export function webexConnect(options: WebexConnectOptions = {}): Source {
  const where = "webexConnect";
  assertOptions(options, optionNames, where);
  const { answers, members } = parseCommonOptions(options, where);
  const typeOf = parseType(own(options, "type"), `${where}.type`);
  const idPath = pathOption(own(options, "id"), `${where}.id`);
  const dataPath = pathOption(own(options, "data"), `${where}.data`);
  return {
    name: "webex-connect",
    bodies: takesXml(own(options, "xml"), `${where}.xml`) ? ["json", "xml"] : ["json"],
    headers: [],
    events: ({ body }) => readEvent(body, { typeOf, idPath, dataPath }),
    ...members,
    answer: (outcome) => (answers === "http" ? undefined : webexConnectAnswer(outcome)),
    compose: ({ data }) => ({ headers: {}, contentType: "application/json", body: JSON.stringify(data) }),
  };
}

interface Reading {
  readonly typeOf: (body: unknown) => unknown;
  readonly idPath: string | undefined;
  readonly dataPath: string | undefined;
}

function readEvent(
  body: ParsedDelivery["body"],
  { typeOf, idPath, dataPath }: Reading,
): readonly SourceEvent[] | SourceFault {
  const type = typeOf(body);
  if (typeof type !== "string" || type === "") {
    return { fault: `no type: webexConnect.type finds ${describe(type)} where text is expected` };
  }
  const id = idPath === undefined ? undefined : (memberOf(body, idPath) ?? undefined);
  if (id !== undefined && typeof id !== "string" && typeof id !== "number") {
    return { fault: `webexConnect.id finds ${describe(id)} where text or a number is expected` };
  }
  return [{ type, id, data: dataPath === undefined ? body : memberOf(body, dataPath) }];
}

function parseType(value: unknown, where: string): (body: unknown) => unknown {
  if (value === undefined) return () => "inbound";
  if (typeof value === "object") {
    assertOptions(value, optionKeys<{ readonly name: string }>({ name: true }), where);
    const name = stringOption(own(value, "name"), `${where}.name`);
    return () => name;
  }
  const path = stringOption(value, where);
  return (body) => memberOf(body, path);
}

function takesXml(value: unknown, where: string): boolean {
  if (value === undefined || typeof value === "boolean") return value !== false;
  throw new OptionError(where, ` must be true or false, not ${describe(value)}`);
}
