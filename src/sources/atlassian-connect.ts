import { createHash } from "node:crypto";
import { BoundedCache } from "../lib/bounded-cache.js";
import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import { isPromise } from "../lib/promises.js";
import type { MaybePromise } from "../types/credential.js";
import type { JwtClaims } from "../types/delivery.js";
import type {
  ComposedDelivery,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
  TokenHint,
} from "../types/source.js";
import { headerOf, textOf, tokenTolerance } from "./settings.js";

/** What an installation of the app left with you. */
export interface AtlassianClient {
  /** The `sharedSecret` of its `installed` callback. */
  readonly sharedSecret: string;
}

/** The body of a webhook, whose members go by the event's type. */
export interface AtlassianEvent {
  readonly [member: string]: unknown;
}

/** Options of `atlassianConnect`. */
export interface AtlassianConnectOptions {
  /**
   * The installation that has this `clientKey`, or undefined where there is none (any more). `clientKey` comes from a token
   * that nobody has checked yet: use it as a parameter of a query, never as part of its text. Asked for each delivery, so
   * that an uninstalled one is refused at once. Where it throws, or takes more than 5 seconds, the delivery is answered 503.
   */
  readonly client: (clientKey: string) => MaybePromise<AtlassianClient | undefined>;
  /** `baseUrl` of the app's descriptor, such as "https://app.example.com/addon": its path is no part of what is signed. */
  readonly baseUrl: string;
  /** Type of events whose body names none (Confluence). Default: such deliveries are refused. */
  readonly defaultType?: string | undefined;
  /** `true` takes shared secrets of fewer than 32 bytes. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /** How far the sender's clock may differ from ours, `"0s"` to `"5m"`. Default: `"5s"`. */
  readonly clockTolerance?: Duration | undefined;
}

/** Longest `clientKey` that is looked up; Atlassian's have 36 characters. */
const longestClientKey = 255;
/** Clients whose last secret is remembered, so that the key made of it is. */
const rememberedClients = 1_000;

/**
 * Webhooks of Atlassian Connect apps (Jira, Confluence, Bitbucket): `Authorization: JWT` with an HS256 token by the shared
 * secret of the installation that `iss`, its clientKey, names, and whose `qsh` is the hash of method, path below the
 * base URL and query. The body is not signed. Tokens without `exp`, and tokens of another request or of the browser
 * ("context-qsh"), are refused; so is a token in the query (`?jwt=`). Types are the body's `webhookEvent` (Jira), `event`
 * (Bitbucket) or `eventType`: `jira:issue_updated`. The id is Jira's `X-Atlassian-Webhook-Identifier`, which is not signed,
 * else one made of the body. Jira waits 20 seconds and sends again on 408, 409, 425, 429, 5xx and timeouts. The `installed`
 * and `uninstalled` callbacks are signed otherwise (RS256) and are not for this source.
 *
 * Atlassian is ending its support for Connect: since September 2025 the Marketplace takes new apps on Forge alone.
 *
 * @example
 * atlassianConnect({ baseUrl: "https://app.example.com", client: (clientKey) => installations.find(clientKey) })
 */
export function atlassianConnect(
  options: AtlassianConnectOptions,
): Source<{ readonly [type: string]: AtlassianEvent }> {
  const where = "atlassianConnect";
  assertOptions(
    options,
    optionKeys<AtlassianConnectOptions>({
      client: true,
      baseUrl: true,
      defaultType: true,
      insecureShortSecret: true,
      clockTolerance: true,
    }),
    where,
  );
  const client: unknown = own(options, "client");
  if (typeof client !== "function") {
    throw new OptionError(
      `${where}.client`,
      ` must be a function that finds an installation by its clientKey, not ${describe(client)}`,
    );
  }
  const basePath = parseBasePath(own(options, "baseUrl"), `${where}.baseUrl`);
  const given = own(options, "defaultType");
  const defaultType = given === undefined ? undefined : stringOption(given, `${where}.defaultType`);
  return {
    name: "atlassian-connect",
    bodies: ["json"],
    headers: ["x-atlassian-webhook-identifier", "x-atlassian-webhook-retry"],
    events: (delivery) => readEvent(delivery, defaultType),
    auth: {
      carrier: { header: "authorization", scheme: "JWT", refusedParameter: "jwt" },
      token: createLookup(client as AtlassianConnectOptions["client"], {
        algorithms: ["HS256"],
        insecureShortSecret: flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`),
        clockTolerance: tokenTolerance(options, where),
        requiredClaims: ["iat", "qsh"],
      }),
      check: (claims, url) => qshFault(claims, url, basePath),
      claims: (url) => ({ qsh: qshOf(url, basePath) }),
    },
    deadline: "20s",
    compose: ({ type, id, data }): ComposedDelivery => ({
      headers: { "x-atlassian-webhook-identifier": id },
      contentType: "application/json",
      body: JSON.stringify({ webhookEvent: type, ...Object(data) }),
    }),
  };
}

/** The path of the base URL without a slash at its end. */
function parseBasePath(value: unknown, where: string): string {
  if (typeof value === "string" && URL.canParse(value)) {
    const { protocol, search, hash, pathname } = new URL(value);
    if (/^https?:$/.test(protocol) && search === "" && hash === "") return pathname.replace(/\/+$/, "");
  }
  throw new OptionError(
    where,
    ` must be the baseUrl of the app's descriptor, such as "https://app.example.com", not ${describe(value)}`,
  );
}

/** As long as a client has the same secret, its credential is the same object: so is the key that hangs on it. */
function createLookup(
  client: AtlassianConnectOptions["client"],
  rules: object,
): (hint: TokenHint) => unknown {
  const known = new BoundedCache<{ readonly secret: string }>(rememberedClients);
  const credentialOf = (found: unknown, issuer: string): object | undefined => {
    if (found === undefined) return undefined;
    const secret =
      typeof found === "object" && found !== null ? own(found as AtlassianClient, "sharedSecret") : undefined;
    if (typeof secret !== "string") {
      throw new TypeError("atlassianConnect.client must answer { sharedSecret }, or undefined");
    }
    const earlier = known.get(issuer);
    if (earlier?.secret === secret) return earlier;
    const credential = { id: "client", issuer, secret, ...rules };
    known.set(issuer, credential);
    return credential;
  };
  return ({ issuer }) => {
    if (issuer === "" || issuer.length > longestClientKey) return undefined;
    const found: unknown = client(issuer);
    return isPromise(found)
      ? found.then((answer) => credentialOf(answer, issuer))
      : credentialOf(found, issuer);
  };
}

function qshFault(claims: JwtClaims, url: string, basePath: string): string | undefined {
  const qsh = qshOf(url, basePath);
  if (qsh === undefined) return "the URL's query is not percent-encoded UTF-8, so its qsh cannot be known";
  if (own(claims, "qsh") === qsh) return undefined;
  return (
    "qsh is not the hash of this request: the token is for another method, path or query, or baseUrl is not that " +
    "of the app's descriptor"
  );
}

function qshOf(url: string, basePath: string): string | undefined {
  const canonical = canonicalRequest("POST", url, basePath);
  return canonical === undefined ? undefined : createHash("sha256").update(canonical).digest("hex");
}

/**
 * What `qsh` is the SHA-256 of: method, path below the base URL, and query by sorted names, joined by "&". Undefined for
 * a query that cannot be decoded.
 */
export function canonicalRequest(method: string, url: string, basePath: string): string | undefined {
  const mark = url.indexOf("?");
  const query = canonicalQuery(mark === -1 ? "" : url.slice(mark + 1));
  if (query === undefined) return undefined;
  return `${method}&${canonicalPath(mark === -1 ? url : url.slice(0, mark), basePath)}&${query}`;
}

function canonicalPath(path: string, basePath: string): string {
  // A proxy may have taken the base path off already.
  const below = path === basePath || path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : path;
  const whole = below.replaceAll("&", "%26");
  const rooted = whole.startsWith("/") ? whole : `/${whole}`;
  return rooted.length > 1 && rooted.endsWith("/") ? rooted.slice(0, -1) : rooted;
}

function canonicalQuery(query: string): string | undefined {
  const values = new Map<string, string[]>();
  try {
    for (const pair of query.split("&")) {
      if (pair === "") continue;
      const equals = pair.indexOf("=");
      const name = decode(equals === -1 ? pair : pair.slice(0, equals));
      const value = decode(equals === -1 ? "" : pair.slice(equals + 1));
      values.set(name, [...(values.get(name) ?? []), value]);
    }
    return [...values.keys()]
      .sort()
      .map((name) => `${encode(name)}=${(values.get(name) ?? []).sort().map(encode).join(",")}`)
      .join("&");
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** RFC 3986 section 2.3: everything but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function readEvent(
  delivery: ParsedDelivery,
  defaultType: string | undefined,
): readonly SourceEvent[] | SourceFault {
  const { body } = delivery;
  const named = textOf(body, "webhookEvent") ?? textOf(body, "event") ?? textOf(body, "eventType");
  const type = named ?? defaultType;
  if (typeof body !== "object" || body === null) return { fault: "the body is no object" };
  if (type === undefined) return { fault: "the body has no webhookEvent, event or eventType" };
  return [{ type, id: headerOf(delivery, "x-atlassian-webhook-identifier"), data: body }];
}
