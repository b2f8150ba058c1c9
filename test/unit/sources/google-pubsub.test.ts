import { describe, expect, it } from "@jest/globals";
import { type GooglePubSubOptions, googlePubSub } from "../../../src/sources/google-pubsub.js";
import { createTestSigner } from "../../../src/testing/index.js";
import { eventsOf, nowSeconds, tokenGate } from "../../support/token-source.js";

const audience = "https://hooks.example.com/pubsub";
const serviceAccount = "push@project.iam.gserviceaccount.com";
const signer = await createTestSigner("RS256");
const jwk = { ...(signer.verification.publicKey as object), kid: "g1", alg: "RS256", use: "sig", kty: "RSA" };
const options = { audience, serviceAccount, jwks: { keys: [jwk] } };
const claims = (over: object = {}) => ({
  aud: audience,
  azp: "113774264463038321964",
  email: serviceAccount,
  email_verified: true,
  exp: nowSeconds + 3_600,
  iat: nowSeconds,
  iss: "https://accounts.google.com",
  sub: "113774264463038321964",
  ...over,
});
const bearer = async (over: object = {}, header: { kid?: string } = { kid: "g1" }, by = signer) => [
  "Authorization",
  `Bearer ${await by.sign(claims(over), header)}`,
];
const gate = tokenGate(googlePubSub(options));

const encode = (value: string) => Buffer.from(value).toString("base64");
/** As the documentation shows a wrapped message, both spellings of its members. */
const wrapped = (over: object = {}) => ({
  message: {
    attributes: { eventType: "order.paid" },
    data: encode('{"status": "Hello there"}'),
    messageId: "2070443601311540",
    message_id: "2070443601311540",
    publishTime: "2021-02-26T19:13:55.749Z",
    publish_time: "2021-02-26T19:13:55.749Z",
    ...over,
  },
  subscription: "projects/myproject/subscriptions/mysubscription",
});

describe("googlePubSub", () => {
  it("takes a token of the service account for the audience", async () => {
    expect(await gate.ask(await bearer())).toMatchObject({
      method: "jwt",
      service: "hooks",
      claims: { email: serviceAccount },
    });
  });

  it.each<[string, object]>([
    ["another audience", { aud: `${audience}/` }],
    ["no audience", { aud: undefined }],
    ["the issuer without scheme", { iss: "accounts.google.com" }],
    ["another issuer", { iss: "https://accounts.google.com.evil.example" }],
    ["another account, whom Google signs for as well", { email: "evil@other.iam.gserviceaccount.com" }],
    ["the account in other case", { email: serviceAccount.toUpperCase() }],
    ["several accounts", { email: [serviceAccount] }],
    ["no email", { email: undefined }],
    ["an email that is not verified", { email_verified: false }],
    ["an email verified by a word", { email_verified: "true" }],
    ["an email of which that is not said", { email_verified: undefined }],
    ["an end that has passed", { exp: nowSeconds - 31, iat: nowSeconds - 100 }],
    ["no end", { exp: undefined }],
    ["an iat ahead of the clock", { iat: nowSeconds + 31 }],
    ["no iat", { iat: undefined }],
  ])("A24 A25 A27 A28 refuses %s", async (_name, over) => {
    expect(await gate.ask(await bearer(over))).toBe("ERR_TOKEN_INVALID");
  });

  it("A03 A04 A09 refuses other keys, algorithms and kids, and no token", async () => {
    expect(await gate.ask([])).toBe("ERR_CREDENTIAL_MISSING");
    expect(await gate.ask(await bearer({}, { kid: "g2" }))).toBe("ERR_TOKEN_INVALID");
    expect(await gate.ask(await bearer({}, { kid: "g1" }, await createTestSigner("RS256")))).toBe(
      "ERR_TOKEN_INVALID",
    );
    const hmac = await createTestSigner("HS256", Buffer.from(JSON.stringify(jwk)));
    expect(await gate.ask(await bearer({}, { kid: "g1" }, hmac))).toBe("ERR_TOKEN_INVALID");
    const es = await createTestSigner("ES256");
    expect(await gate.ask(await bearer({}, { kid: "g1" }, es))).toBe("ERR_TOKEN_INVALID");
  });

  it("A04 refuses a key of another kind, also where it stands in the set", async () => {
    const es = await createTestSigner("ES256");
    const own = { ...(es.verification.publicKey as object), kty: "EC", kid: "e1" };
    const mixed = tokenGate(googlePubSub({ ...options, jwks: { keys: [jwk, own] } }));
    expect(await mixed.ask(await bearer({}, { kid: "e1" }, es))).toBe("ERR_TOKEN_INVALID");
    expect(await mixed.ask(await bearer())).toMatchObject({ method: "jwt" });
  });

  it("checks the account of a token that is remembered as well", async () => {
    const accounts = tokenGate(googlePubSub({ ...options, serviceAccount: ["a@x.example", serviceAccount] }));
    const headers = await bearer({ email: "b@x.example" });
    for (const _again of [1, 2]) {
      expect(await accounts.reason(headers)).toBe(`email is not "a@x.example" or "${serviceAccount}"`);
    }
    expect(await accounts.ask(await bearer())).toMatchObject({ method: "jwt" });
  });

  it("B06 refuses a token in the query", async () => {
    expect(await gate.ask(await bearer(), { url: "/pubsub?access_token=x" })).toBe("ERR_CREDENTIAL_IN_QUERY");
    expect(await gate.ask(await bearer(), { url: "/pubsub?jwt=x" })).toMatchObject({ method: "jwt" });
  });

  it("reads a wrapped message", () => {
    expect(eventsOf(googlePubSub(options), { ...wrapped(), deliveryAttempt: 5 })).toEqual([
      {
        type: "order.paid",
        id: "projects/myproject/subscriptions/mysubscription/2070443601311540",
        data: {
          messageId: "2070443601311540",
          publishTime: "2021-02-26T19:13:55.749Z",
          orderingKey: undefined,
          attributes: { eventType: "order.paid" },
          data: encode('{"status": "Hello there"}'),
          json: { status: "Hello there" },
          subscription: "projects/myproject/subscriptions/mysubscription",
          deliveryAttempt: 5,
        },
      },
    ]);
  });

  it("reads what a message may leave out", () => {
    const source = googlePubSub(options);
    const bare = { message: { message_id: "7", publish_time: "t", attributes: { a: "b" } } };
    expect(eventsOf(source, bare)).toMatchObject([
      { type: "message", id: "7", data: { messageId: "7", publishTime: "t", data: "", json: undefined } },
    ]);
    const text = eventsOf(
      source,
      wrapped({ data: encode("not JSON"), attributes: undefined, orderingKey: "k" }),
    );
    expect(text).toMatchObject([
      { type: "message", data: { json: undefined, orderingKey: "k", attributes: {} } },
    ]);
    expect(eventsOf(source, wrapped({ attributes: { eventType: "" } }))).toMatchObject([{ type: "message" }]);
    expect(eventsOf(source, { message: {} })).toMatchObject([{ type: "message", id: undefined }]);
  });

  it("G01 takes the type from the attribute that was named, of own members only", () => {
    const source = googlePubSub({ ...options, typeAttribute: "kind" });
    expect(eventsOf(source, wrapped({ attributes: { kind: "k", eventType: "e" } }))).toMatchObject([
      { type: "k" },
    ]);
    const inherited = googlePubSub({ ...options, typeAttribute: "constructor" });
    expect(eventsOf(inherited, wrapped({ attributes: {} }))).toMatchObject([{ type: "message" }]);
  });

  it("gives the data alone where that is asked for, and refuses what is no JSON", () => {
    const source = googlePubSub({ ...options, data: "json" });
    expect(eventsOf(source, wrapped())).toMatchObject([
      { type: "order.paid", data: { status: "Hello there" } },
    ]);
    for (const data of ["", encode("x"), encode('{"a":1,"a":2}'), encode("\u{feff}{}")]) {
      expect(eventsOf(source, wrapped({ data }))).toEqual({ fault: "the message's data is not JSON" });
    }
  });

  it.each<[unknown, string]>([
    [{}, "no `message`"],
    [null, "no `message`"],
    [{ message: "m" }, "no `message`"],
    [wrapped({ data: "@" }), "message.data is not base64"],
    [wrapped({ data: 1 }), "message.data is not base64"],
    [wrapped({ attributes: { a: 1 } }), "message.attributes is not an object of strings"],
    [wrapped({ attributes: "a" }), "message.attributes is not an object of strings"],
  ])("says what is wrong with %j", (body, fault) => {
    expect((eventsOf(googlePubSub(options), body) as { fault: string }).fault).toContain(fault);
  });

  it("reads an unwrapped message from body and headers", () => {
    const source = googlePubSub({ ...options, unwrapped: true });
    const headers = {
      "x-goog-pubsub-message-id": "7",
      "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
      eventtype: "order.paid",
    };
    const body = { status: "Hello there" };
    expect(eventsOf(source, body, headers)).toEqual([
      { type: "order.paid", id: "projects/p/subscriptions/s/7", data: body },
    ]);
    expect(eventsOf(source, body)).toEqual([{ type: "message", id: undefined, data: body }]);
    expect(source.bodies).toEqual(["json", "bytes"]);
    for (const name of Object.keys(headers)) expect(source.headers).toContain(name);
  });

  it("composes what it reads", () => {
    const event = { type: "order.paid", id: "7", data: { total: 1 }, nowMs: 0 };
    const plain = googlePubSub({ ...options, data: "json" });
    expect(eventsOf(plain, JSON.parse(plain.compose?.(event).body ?? ""))).toMatchObject([
      { type: "order.paid", data: { total: 1 } },
    ]);
    const whole = googlePubSub(options);
    expect(
      eventsOf(whole, JSON.parse(whole.compose?.({ ...event, type: "message" }).body ?? "")),
    ).toMatchObject([{ type: "message", data: { json: { total: 1 } } }]);
    const bare = googlePubSub({ ...options, unwrapped: true });
    const { headers = {}, body = "" } = bare.compose?.(event) ?? {};
    expect(eventsOf(bare, JSON.parse(body), headers)).toMatchObject([
      { type: "order.paid", data: { total: 1 } },
    ]);
  });

  it("waits as long as the subscription does", () => {
    expect(googlePubSub(options).deadline).toBe("10s");
    expect(googlePubSub({ ...options, ackDeadline: "10m" }).deadline).toBe("10m");
  });

  it("asks Google's published keys unless told otherwise", () => {
    const { auth } = googlePubSub({ audience, serviceAccount });
    expect(auth?.jwt).toMatchObject({ jwksUri: "https://www.googleapis.com/oauth2/v3/certs" });
  });

  it.each<[unknown, string]>([
    [{ serviceAccount }, "googlePubSub.audience must be a string that is not empty, not undefined"],
    [{ audience }, "googlePubSub.serviceAccount must be a string that is not empty, not undefined"],
    [{ audience: [], serviceAccount }, "googlePubSub.audience is empty, so no token could pass"],
    [{ audience, serviceAccount: [""] }, "googlePubSub.serviceAccount[0] must be a string"],
    [{ ...options, jwks: { keys: [] } }, "googlePubSub.jwks has no key that can check RS256"],
    [{ ...options, jwks: { keys: [{ ...jwk, alg: "PS256" }] } }, "googlePubSub.jwks has no key"],
    [{ ...options, jwks: {} }, "googlePubSub.jwks must be a JWK set"],
    [{ ...options, data: "raw" }, 'googlePubSub.data must be one of "message", "json"'],
    [{ ...options, unwrapped: true, data: "message" }, 'googlePubSub.data cannot be "message"'],
    [
      { ...options, ackDeadline: "601s" },
      'googlePubSub.ackDeadline must be a duration such as "10s", from "10s" to "10m"',
    ],
    [{ ...options, unwraped: true }, 'googlePubSub has no option "unwraped"; did you mean "unwrapped"?'],
  ])("refuses the options %j", (given, message) => {
    expect(() => googlePubSub(given as GooglePubSubOptions)).toThrow(message);
  });
});
