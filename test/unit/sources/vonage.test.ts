import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type VonageOptions, vonage } from "../../../src/sources/vonage.js";
import { createTestSigner } from "../../../src/testing/index.js";
import type { Source } from "../../../src/types/source.js";
import { eventsOf, nowSeconds, tokenGate } from "../../support/token-source.js";

const secret = "sd7Hq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";
const signer = await createTestSigner("HS256", Buffer.from(secret));
const body = '{"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab","status":"delivered"}';

const sha256 = (text: string, form: "hex" | "base64url" = "hex") =>
  createHash("sha256").update(text).digest(form);
const claims = (over: object = {}) => ({
  iat: nowSeconds,
  jti: "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
  iss: "Vonage",
  payload_hash: sha256(body),
  api_key: "a1b2c3d",
  application_id: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
  ...over,
});
const bearer = async (over: object = {}, by = signer) => [
  "Authorization",
  `Bearer ${await by.sign(claims(over), { typ: "JWT" })}`,
];
const gate = tokenGate(vonage({ secret }));

describe("vonage", () => {
  it("takes a token over this body", async () => {
    expect(await gate.ask(await bearer(), { body })).toMatchObject({
      method: "jwt",
      tenant: "default",
      service: "hooks",
      credentialId: "secret-1",
      claims: { api_key: "a1b2c3d" },
    });
  });

  it("takes the token that Vonage's Ruby SDK publishes with its secret, within 5 minutes", async () => {
    const published =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE1ODc0OTQ5NjIsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImQ2YzBlNzRiNTg1N2RmMjBlM2I3ZTUxYjMwYzBjMmE0MGVjNzNhNzc4NzliNmYwNzRkZGM3YTIzMTdkZDAzMWIiLCJhcGlfa2V5IjoiYTFiMmMzZCIsImFwcGxpY2F0aW9uX2lkIjoiYWFhYWFhYWEtYmJiYi1jY2NjLWRkZGQtMDEyMzQ1Njc4OWFiIn0.JQRKi1d0SQitmjPINfTWMpt3XZkGsLbD7EjCdXoNSbk";
    const issuedAt = 1_587_494_962;
    const sample = tokenGate(
      vonage({ secret: "ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgfnI0Xw", apiKey: "a1b2c3d" }),
    );
    const headers = ["authorization", `Bearer ${published}`];
    expect(await sample.reason(headers)).toContain("the token is older than 300 s");
    sample.clock.set(new Date(issuedAt * 1_000));
    // What its payload_hash is of was not published.
    expect(await sample.ask(headers)).toBe("body");
    const other = tokenGate(vonage({ secret: "ZYtdTtGV3BCFN7tWmOWr1md66XsquMggr4W2cTtXtcPgf55555" }));
    other.clock.set(new Date(issuedAt * 1_000));
    expect(await other.ask(headers)).toBe("ERR_TOKEN_INVALID");
  });

  it("F03 refuses every other body, and a token without payload_hash", async () => {
    const headers = await bearer();
    for (const other of ["", `${body}\n`, ` ${body}`, body.replace("delivered", "read")]) {
      expect(await gate.ask(headers, { body: other })).toBe("body");
    }
    const hashes = [undefined, null, "", sha256(body).toUpperCase(), `${sha256(body)}00`, [sha256(body)]];
    for (const hash of hashes) {
      const answer = await gate.ask(await bearer({ payload_hash: hash }), { body });
      expect(["ERR_TOKEN_INVALID", "body"]).toContain(answer);
    }
  });

  it.each<[string, object]>([
    ["another issuer", { iss: "vonage" }],
    ["no issuer", { iss: undefined }],
    ["no iat", { iat: undefined }],
    ["an iat of more than 5 minutes ago", { iat: nowSeconds - 305 }],
    ["an iat ahead of the clock", { iat: nowSeconds + 6 }],
    ["an exp that has passed", { exp: nowSeconds - 6, iat: nowSeconds - 60 }],
  ])("A24 A25 A27 refuses %s", async (_name, over) => {
    expect(await gate.ask(await bearer(over), { body })).toBe("ERR_TOKEN_INVALID");
  });

  it("takes an iat of just under 5 minutes ago, and of a clock a little ahead", async () => {
    for (const iat of [nowSeconds - 304, nowSeconds + 5]) {
      expect(await gate.ask(await bearer({ iat }), { body })).toMatchObject({ method: "jwt" });
    }
    const strict = tokenGate(vonage({ secret, maxAge: "10s", clockTolerance: "0s" }));
    expect(await strict.ask(await bearer({ iat: nowSeconds - 10 }), { body })).toBe("ERR_TOKEN_INVALID");
    expect(await strict.ask(await bearer({ iat: nowSeconds - 9 }), { body })).toMatchObject({
      method: "jwt",
    });
  });

  it("F01 refuses a missing, repeated or otherwise signed token", async () => {
    expect(await gate.ask([], { body })).toBe("ERR_CREDENTIAL_MISSING");
    const headers = await bearer();
    expect(await gate.ask([...headers, ...headers], { body })).toBe("ERR_CREDENTIAL_REPEATED");
    const stranger = await createTestSigner("HS256");
    expect(await gate.ask(await bearer({}, stranger), { body })).toBe("ERR_TOKEN_INVALID");
    const longer = await createTestSigner("HS512", Buffer.from(secret + secret));
    expect(await gate.ask(await bearer({}, longer), { body })).toBe("ERR_TOKEN_INVALID");
  });

  it("takes any of several secrets and names the one that matched", async () => {
    const next = "tR4mVq9Xz2Lw7Ns8Yb1Kc6Hd3Jf5Pg0QaE";
    const rotating = tokenGate(
      vonage({ secret: [secret, { id: "next", secret: next, notBefore: "2026-01-01T00:00:10Z" }] }),
    );
    const later = await createTestSigner("HS256", Buffer.from(next));
    expect(await rotating.ask(await bearer(), { body })).toMatchObject({ credentialId: "secret-1" });
    expect(await rotating.ask(await bearer({}, later), { body })).toBe("ERR_TOKEN_INVALID");
    rotating.clock.advance("10s");
    expect(await rotating.ask(await bearer({}, later), { body })).toMatchObject({ credentialId: "next" });
    const ended = tokenGate(
      vonage({
        secret: [
          { secret, expiresAt: "2026-01-01T00:00:00Z" },
          { secret: next, state: "inactive" },
        ],
      }),
    );
    expect(await ended.ask(await bearer(), { body })).toBe("ERR_TOKEN_INVALID");
    expect(await ended.ask(await bearer({}, later), { body })).toBe("ERR_TOKEN_INVALID");
  });

  it("F10 binds tokens to the API key and the application where they are given", async () => {
    const bound = tokenGate(
      vonage({ secret, apiKey: "a1b2c3d", applicationId: "aaaaaaaa-bbbb-cccc-dddd-0123456789ab" }),
    );
    expect(await bound.ask(await bearer(), { body })).toMatchObject({ method: "jwt" });
    for (const over of [{ api_key: "A1B2C3D" }, { api_key: undefined }, { application_id: "other" }]) {
      expect(await bound.ask(await bearer(over), { body })).toBe("ERR_TOKEN_INVALID");
    }
    expect(await bound.reason(await bearer({ application_id: "x" }))).toContain("application_id is not");
  });

  it("reads messages, statuses, calls, verifications and the rest", () => {
    const read = (given: object) => eventsOf(vonage({ secret }), given);
    const inbound = { message_uuid: "m", channel: "sms", message_type: "text", text: "hi" };
    expect(read(inbound)).toEqual([{ type: "message.received", id: "m", data: inbound }]);
    const status = { message_uuid: "m", status: "delivered" };
    expect(read(status)).toEqual([{ type: "message.delivered", data: status }]);
    const call = { uuid: "u", conversation_uuid: "CON-1", status: "answered" };
    expect(read(call)).toEqual([{ type: "call.answered", data: call }]);
    const verification = { request_id: "r", type: "summary", status: "completed" };
    expect(read(verification)).toEqual([{ type: "verify.summary", data: verification }]);
    expect(read({ type: "rtc:hangup" })).toMatchObject([{ type: "rtc:hangup" }]);
    for (const nothing of [{}, { status: "x" }, { message_uuid: "m" }, { type: "" }]) {
      expect(read(nothing)).toHaveProperty("fault");
    }
  });

  it.each(["message.received", "message.delivered", "call.answered", "verify.summary", "rtc:hangup", "a.b"])(
    "composes %s as it reads it",
    (type) => {
      const source = vonage({ secret });
      const body = JSON.parse(source.compose?.({ type, id: "e1", data: { a: 1 }, nowMs: 0 }).body ?? "");
      expect(eventsOf(source, body)).toMatchObject([{ type, data: { a: 1 } }]);
    },
  );

  it("asks for a retry where the delivery came unsigned, and for none where it is forged", () => {
    const { answer } = vonage({ secret });
    const outcome = { status: "refused" } as Parameters<NonNullable<Source["answer"]>>[0];
    expect(answer?.({ ...outcome, code: "ERR_CREDENTIAL_MISSING" })).toMatchObject({ status: 503 });
    expect(answer?.({ ...outcome, code: "ERR_TOKEN_INVALID" })).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [{}, "vonage.secret is undefined: is an environment variable missing?"],
    [{ secret: "" }, "vonage.secret is empty"],
    [{ secret: "short-secret-of-24-bytes" }, "vonage.secret has 24 bytes; at least 32 are required"],
    [{ secret, apiKey: "" }, "vonage.apiKey must be a string that is not empty"],
    [{ secret, applicationID: "x" }, 'vonage has no option "applicationID"; did you mean "applicationId"?'],
    [
      { secret, clockTolerance: "301s" },
      'vonage.clockTolerance must be a duration such as "10s", from "0s" to "5m"',
    ],
    [{ secret, maxAge: "0s" }, 'vonage.maxAge must be a duration such as "10s", from "1s" to "1d"'],
  ])("F07 refuses the options %j", (options, message) => {
    expect(() => vonage(options as VonageOptions)).toThrow(message);
  });

  it("takes a short secret where that is said aloud", async () => {
    const short = "vG7kQ2mX9wLt";
    const by = await createTestSigner("HS256", Buffer.from(short));
    const weak = tokenGate(vonage({ secret: short, insecureShortSecret: true }));
    expect(await weak.ask(await bearer({}, by), { body })).toMatchObject({ method: "jwt" });
  });
});
