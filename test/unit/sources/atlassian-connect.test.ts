import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import {
  type AtlassianConnectOptions,
  atlassianConnect,
  canonicalRequest,
} from "../../../src/sources/atlassian-connect.js";
import { createTestSigner } from "../../../src/testing/index.js";
import { eventsOf, nowSeconds, tokenGate } from "../../support/token-source.js";

const sharedSecret = "aT7Hq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfB";
const clientKey = "3a5a9c2e-0000-4000-8000-6b1d2f3c4d5e";
const baseUrl = "https://app.example.com/addon";
const url = "/addon/hooks/issue?user_id=1";
const signer = await createTestSigner("HS256", Buffer.from(sharedSecret));

const hash = (canonical: string) => createHash("sha256").update(canonical).digest("hex");
const claims = (over: object = {}) => ({
  iss: clientKey,
  iat: nowSeconds,
  exp: nowSeconds + 180,
  qsh: hash("POST&/hooks/issue&user_id=1"),
  ...over,
});
const sent = async (over: object = {}, by = signer) => [
  "Authorization",
  `JWT ${await by.sign(claims(over), { typ: "JWT" })}`,
];

function gateOf(client: AtlassianConnectOptions["client"] = () => ({ sharedSecret })) {
  const asked: string[] = [];
  const source = atlassianConnect({
    baseUrl,
    client: (key) => {
      asked.push(key);
      return client(key);
    },
  });
  return { ...tokenGate(source), asked };
}

describe("atlassianConnect", () => {
  it("takes a token of an installation for this request", async () => {
    const gate = gateOf(async (key) => (key === clientKey ? { sharedSecret } : undefined));
    expect(await gate.ask(await sent(), { url })).toMatchObject({
      method: "jwt",
      tenant: "default",
      service: "hooks",
      claims: { iss: clientKey },
    });
    expect(gate.asked).toEqual([clientKey]);
  });

  it.each<[string, object]>([
    ["another path", { qsh: hash("POST&/hooks/other&user_id=1") }],
    ["another query", { qsh: hash("POST&/hooks/issue&user_id=2") }],
    ["another method", { qsh: hash("GET&/hooks/issue&user_id=1") }],
    ["the path with the base", { qsh: hash("POST&/addon/hooks/issue&user_id=1") }],
    ["the browser", { qsh: "context-qsh" }],
    ["nothing", { qsh: undefined }],
    ["a list", { qsh: [hash("POST&/hooks/issue&user_id=1")] }],
  ])("A28 refuses a token for %s", async (_name, over) => {
    expect(await gateOf().ask(await sent(over), { url })).toBe("ERR_TOKEN_INVALID");
  });

  it("refuses a remembered token at another URL", async () => {
    const gate = gateOf();
    const headers = await sent();
    expect(await gate.ask(headers, { url })).toMatchObject({ method: "jwt" });
    for (const other of ["/addon/hooks/issue", "/addon/hooks/issue?user_id=1&a=b", "/addon/x?user_id=1"]) {
      expect(await gate.ask(headers, { url: other })).toBe("ERR_TOKEN_INVALID");
    }
  });

  it.each<[string, object]>([
    ["no exp", { exp: undefined }],
    ["an exp that has passed", { exp: nowSeconds - 6, iat: nowSeconds - 60 }],
    ["no iat", { iat: undefined }],
    ["an iat ahead of the clock", { iat: nowSeconds + 6 }],
    ["no issuer", { iss: undefined }],
    ["an empty issuer", { iss: "" }],
    ["an issuer too long to be looked up", { iss: "x".repeat(256) }],
  ])("A24 A25 A27 refuses %s", async (_name, over) => {
    expect(await gateOf().ask(await sent(over), { url })).toBe("ERR_TOKEN_INVALID");
  });

  it("B01 B06 takes the scheme JWT alone, and no token in the query", async () => {
    const gate = gateOf();
    const [, value = ""] = await sent();
    const token = value.slice(4);
    expect(await gate.ask(["authorization", `jwt ${token}`], { url })).toMatchObject({ method: "jwt" });
    for (const other of [`Bearer ${token}`, token, `JWTX ${token}`]) {
      expect(await gate.ask(["authorization", other], { url })).toBe("ERR_CREDENTIAL_MISSING");
    }
    expect(await gate.ask(["authorization", "JWT"], { url })).toBe("ERR_TOKEN_INVALID");
    for (const query of [`jwt=${token}`, "a=b&jwt=", "%6awt=x", "access_token=x"]) {
      expect(await gate.ask(await sent(), { url: `/addon/hooks/issue?${query}` })).toBe(
        "ERR_CREDENTIAL_IN_QUERY",
      );
    }
    expect(await gate.reason([], "/x?jwt=y")).toContain("send it in the header authorization: JWT");
  });

  it("A09 refuses clients that are not there, other secrets and other algorithms", async () => {
    expect(await gateOf(() => undefined).ask(await sent(), { url })).toBe("ERR_TOKEN_INVALID");
    const other = "bT7Hq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfC";
    expect(await gateOf(() => ({ sharedSecret: other })).ask(await sent(), { url })).toBe(
      "ERR_TOKEN_INVALID",
    );
    const rsa = await createTestSigner("RS256");
    expect(await gateOf().ask(await sent({}, rsa), { url })).toBe("ERR_TOKEN_INVALID");
  });

  it("A30 asks for the installation each time, so that an uninstalled or renewed one counts at once", async () => {
    let secret: string | undefined = sharedSecret;
    const gate = gateOf(async () => (secret === undefined ? undefined : { sharedSecret: secret }));
    const headers = await sent();
    expect(await gate.ask(headers, { url })).toMatchObject({ method: "jwt" });
    expect(await gate.ask(headers, { url })).toMatchObject({ method: "jwt" });
    secret = "cT7Hq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfD";
    expect(await gate.ask(headers, { url })).toBe("ERR_TOKEN_INVALID");
    secret = undefined;
    expect(await gate.ask(headers, { url })).toBe("ERR_TOKEN_INVALID");
  });

  it("answers 503 where the lookup fails or answers what it should not", async () => {
    const answers: AtlassianConnectOptions["client"][] = [
      () => {
        throw new Error("down");
      },
      async () => Promise.reject(new Error("down")),
      () => null as never,
      () => sharedSecret as never,
      () => ({ secret: sharedSecret }) as never,
      () => ({ sharedSecret: "" }),
      () => ({ sharedSecret: "too-short-for-HS256" }),
    ];
    for (const answer of answers) {
      expect(await gateOf(answer).ask(await sent(), { url })).toBe("ERR_CREDENTIALS_UNAVAILABLE");
    }
  });

  it("takes short secrets where that is said aloud", async () => {
    const short = "vG7kQ2mX9wLt";
    const source = atlassianConnect({
      baseUrl,
      insecureShortSecret: true,
      client: () => ({ sharedSecret: short }),
    });
    const by = await createTestSigner("HS256", Buffer.from(short));
    expect(await tokenGate(source).ask(await sent({}, by), { url })).toMatchObject({ method: "jwt" });
  });

  it("refuses a query whose hash cannot be known", async () => {
    expect(await gateOf().reason(await sent(), "/addon/hooks/issue?a=%ff")).toContain(
      "not percent-encoded UTF-8",
    );
  });

  it("reads the types of Jira, Bitbucket and lifecycle callbacks, and Jira's identifier", () => {
    const source = atlassianConnect({ baseUrl, client: () => undefined });
    const issue = { webhookEvent: "jira:issue_updated", issue: {} };
    expect(eventsOf(source, issue, { "x-atlassian-webhook-identifier": "w1" })).toEqual([
      { type: "jira:issue_updated", id: "w1", data: issue },
    ]);
    expect(eventsOf(source, { event: "repo:push" })).toMatchObject([{ type: "repo:push", id: undefined }]);
    expect(eventsOf(source, { eventType: "enabled" })).toMatchObject([{ type: "enabled" }]);
    expect(eventsOf(source, { page: {} })).toHaveProperty("fault");
    const confluence = atlassianConnect({ baseUrl, client: () => undefined, defaultType: "page_created" });
    expect(eventsOf(confluence, { page: {} })).toMatchObject([{ type: "page_created" }]);
    for (const nothing of [null, "page", 1]) expect(eventsOf(confluence, nothing)).toHaveProperty("fault");
    const composed = source.compose?.({
      type: "jira:issue_updated",
      id: "w1",
      data: { issue: {} },
      nowMs: 0,
    });
    expect(JSON.parse(composed?.body ?? "")).toEqual(issue);
  });

  it.each<[unknown, string]>([
    [
      { baseUrl },
      "atlassianConnect.client must be a function that finds an installation by its clientKey, not undefined",
    ],
    [{ client: () => {} }, "atlassianConnect.baseUrl must be the baseUrl of the app's descriptor"],
    [{ client: () => {}, baseUrl: "app.example.com" }, "atlassianConnect.baseUrl must be"],
    [{ client: () => {}, baseUrl: "ftp://app.example.com" }, "atlassianConnect.baseUrl must be"],
    [{ client: () => {}, baseUrl: `${baseUrl}?a=b` }, "atlassianConnect.baseUrl must be"],
    [{ client: () => {}, baseUrl, defaultType: "" }, "atlassianConnect.defaultType must be a string"],
    [
      { client: () => {}, baseUrl, clients: [] },
      'atlassianConnect has no option "clients"; did you mean "client"?',
    ],
  ])("refuses the options %j", (options, message) => {
    expect(() => atlassianConnect(options as AtlassianConnectOptions)).toThrow(message);
  });
});

describe("canonicalRequest", () => {
  it.each<[string, string, string]>([
    // Atlassian's documentation of the query string hash.
    ["/?param=foo", "", "POST&/&param=foo"],
    ["/user", "", "POST&/user&"],
    ["/user/", "", "POST&/user&"],
    ["", "", "POST&/&"],
    ["/addon", "/addon", "POST&/&"],
    ["/addon/", "/addon", "POST&/&"],
    ["/addon/a/b", "/addon", "POST&/a/b&"],
    ["/addons/a", "/addon", "POST&/addons/a&"],
    ["/a/b", "/addon", "POST&/a/b&"],
    ["/a&b?c", "", "POST&/a%26b&c="],
    ["/a%20b", "", "POST&/a%20b&"],
    ["/?b=2&a=1&b=1&a=3", "", "POST&/&a=1,3&b=1,2"],
    ["/?a=x%20y&b=x+y", "", "POST&/&a=x%20y&b=x%20y"],
    ["/?a=1,2&c=%2c", "", "POST&/&a=1%2C2&c=%2C"],
    ["/?a=!'()*~-._", "", "POST&/&a=%21%27%28%29%2A~-._"],
    ["/?A=1&a=2&&", "", "POST&/&A=1&a=2"],
    ["/?__proto__=1&constructor=2", "", "POST&/&__proto__=1&constructor=2"],
    ["/?a=b=c", "", "POST&/&a=b%3Dc"],
    ["/?%E4%BD%A0=%E5%A5%BD", "", "POST&/&%E4%BD%A0=%E5%A5%BD"],
  ])("of %s below %j is %s", (given, basePath, canonical) => {
    expect(canonicalRequest("POST", given, basePath)).toBe(canonical);
  });
});
