import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type PlaidKey, type PlaidOptions, plaid } from "../../../src/sources/plaid.js";
import { createTestSigner } from "../../../src/testing/index.js";
import type { Source } from "../../../src/types/source.js";
import { eventsOf, nowSeconds, tokenGate } from "../../support/token-source.js";

const kid = "bfbd5111-8e33-4643-8ced-b2e642a72f3c";
const signer = await createTestSigner("ES256");
const p384 = (await createTestSigner("ES384")).verification.publicKey;
const body = '{"webhook_type":"TRANSACTIONS","webhook_code":"SYNC_UPDATES_AVAILABLE","item_id":"i"}';

/** As Plaid's API answers. */
const jwk = (over: object = {}) =>
  ({
    ...(signer.verification.publicKey as PlaidKey),
    alg: "ES256",
    use: "sig",
    kid,
    created_at: 1_560_466_950,
    expired_at: null,
    ...over,
  }) as PlaidKey;
const claims = (over: object = {}) => ({
  iat: nowSeconds,
  request_body_sha256: createHash("sha256").update(body).digest("hex"),
  ...over,
});
const sent = async (
  over: object = {},
  header: { kid?: string; typ?: string } = { kid, typ: "JWT" },
  by = signer,
) => ["Plaid-Verification", await by.sign(claims(over), header)];

/** A gate with a lookup that notes what it was asked for. */
function gateOf(key: PlaidOptions["key"] = () => jwk()) {
  const asked: string[] = [];
  const source = plaid({
    key: (keyId) => {
      asked.push(keyId);
      return key(keyId);
    },
  });
  return { ...tokenGate(source), asked };
}

describe("plaid", () => {
  it("takes a token without issuer from Plaid-Verification, over this body", async () => {
    const gate = gateOf(async () => jwk());
    expect(await gate.ask(await sent(), { body })).toMatchObject({
      method: "jwt",
      service: "hooks",
      credentialId: kid,
      claims: { iss: "plaid", iat: nowSeconds },
    });
    expect(gate.asked).toEqual([kid]);
  });

  it("F03 refuses another body, and tokens without its hash", async () => {
    const gate = gateOf();
    expect(await gate.ask(await sent(), { body: body.replace('"i"', '"j"') })).toBe("body");
    expect(await gate.ask(await sent({ request_body_sha256: undefined }), { body })).toBe(
      "ERR_TOKEN_INVALID",
    );
  });

  it.each<[string, object]>([
    ["an iat of more than 5 minutes ago", { iat: nowSeconds - 305 }],
    ["an iat ahead of the clock", { iat: nowSeconds + 6 }],
    ["no iat", { iat: undefined }],
    ["an issuer that Plaid does not name", { iss: "https://plaid.com" }],
    ["an issuer null", { iss: null }],
  ])("A25 A27 refuses %s", async (_name, over) => {
    expect(await gateOf().ask(await sent(over), { body })).toBe("ERR_TOKEN_INVALID");
  });

  it("F01 refuses a missing, empty and repeated header, and does not look at Authorization", async () => {
    const gate = gateOf();
    const [, token = ""] = await sent();
    expect(await gate.ask([], { body })).toBe("ERR_CREDENTIAL_MISSING");
    expect(await gate.ask(["Authorization", `Bearer ${token}`], { body })).toBe("ERR_CREDENTIAL_MISSING");
    expect(await gate.ask(["plaid-verification", ""], { body })).toBe("ERR_TOKEN_INVALID");
    expect(await gate.ask(["plaid-verification", `Bearer ${token}`], { body })).toBe("ERR_TOKEN_INVALID");
    expect(await gate.ask(["plaid-verification", token, "Plaid-Verification", token], { body })).toBe(
      "ERR_CREDENTIAL_REPEATED",
    );
    expect(gate.asked).toEqual([]);
  });

  it("A03 A04 A09 refuses another algorithm, another key under the kid, and a token without kid", async () => {
    const gate = gateOf();
    const stranger = await createTestSigner("ES256");
    expect(await gate.ask(await sent({}, { kid }, stranger), { body })).toBe("ERR_TOKEN_INVALID");
    const hmac = await createTestSigner("HS256", Buffer.from(JSON.stringify(jwk())));
    expect(await gate.ask(await sent({}, { kid }, hmac), { body })).toBe("ERR_TOKEN_INVALID");
    expect(await gate.ask(await sent({}, {}), { body })).toBe("ERR_TOKEN_INVALID");
    expect(gate.asked).toEqual([kid]);
  });

  it("refuses a key from its expired_at on", async () => {
    const gate = gateOf(() => jwk({ expired_at: nowSeconds + 60 }));
    expect(await gate.ask(await sent(), { body })).toMatchObject({ method: "jwt" });
    gate.clock.advance("1m");
    expect(await gate.ask(await sent({ iat: nowSeconds + 60 }), { body })).toBe("ERR_TOKEN_INVALID");
  });

  it("remembers a key for 10 minutes, recognises it without a promise, and then sees that it has expired", async () => {
    let ended: number | null = null;
    const gate = gateOf(async () => jwk({ expired_at: ended }));
    for (const iat of [nowSeconds, nowSeconds - 1]) await gate.ask(await sent({ iat }), { body });
    expect(gate.asked).toEqual([kid]);
    ended = nowSeconds + 599;
    gate.clock.advance("599999ms");
    expect(await gate.ask(await sent({ iat: nowSeconds + 599 }), { body })).toMatchObject({ method: "jwt" });
    gate.clock.advance("1ms");
    expect(await gate.ask(await sent({ iat: nowSeconds + 600 }), { body })).toBe("ERR_TOKEN_INVALID");
    expect(gate.asked).toEqual([kid, kid]);
  });

  it("A31 asks once for each of a flood of kids at the same time, and for three unknown ones of one address a minute", async () => {
    const gate = gateOf(async (keyId) => (keyId === kid ? jwk() : undefined));
    expect(await gate.ask(await sent(), { body })).toMatchObject({ method: "jwt" });
    const flood = async (count: number, prefix: string) => {
      const headers = await Promise.all(
        Array.from({ length: count }, (_, at) => sent({}, { kid: `${prefix}${at}` })),
      );
      return Promise.all(headers.map((header) => gate.ask(header, { body })));
    };
    const codes = await flood(1_000, "unknown-");
    expect(codes.filter((code) => code === "ERR_TOKEN_INVALID")).toHaveLength(2);
    expect(codes.filter((code) => code === "ERR_CREDENTIALS_UNAVAILABLE")).toHaveLength(998);
    expect(gate.asked).toHaveLength(3);
    expect(await gate.ask(await sent({ iat: nowSeconds - 2 }), { body })).toMatchObject({ method: "jwt" });
    gate.clock.advance("1m");
    expect(new Set(await flood(3, "later-"))).toEqual(new Set(["ERR_TOKEN_INVALID"]));
    expect(gate.asked).toHaveLength(6);
  });

  it("answers 503 where the lookup throws, rejects, is late, or answers what is no such key", async () => {
    const answers: PlaidOptions["key"][] = [
      () => {
        throw new Error("down");
      },
      async () => Promise.reject(new Error("down")),
      () => null as never,
      () => ({}) as never,
      () => jwk({ kid: "another" }),
      () => jwk({ expired_at: "2030" }),
      () => jwk({ expired_at: -1 }),
      () => jwk({ d: "private" }),
      () => jwk({ alg: "ES384" }),
      () => ({ ...(p384 as PlaidKey), kid }),
    ];
    for (const answer of answers) {
      expect(await gateOf(answer).ask(await sent(), { body })).toBe("ERR_CREDENTIALS_UNAVAILABLE");
    }
    const silent = gateOf(() => new Promise(() => {}));
    const waiting = silent.ask(await sent(), { body });
    while (silent.clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    silent.clock.advance("5s");
    expect(await waiting).toBe("ERR_CREDENTIALS_UNAVAILABLE");
  });

  it("reads type and code, as Plaid spells them", () => {
    const source = plaid({ key: () => undefined });
    const data = JSON.parse(body);
    expect(eventsOf(source, data)).toEqual([{ type: "TRANSACTIONS.SYNC_UPDATES_AVAILABLE", data }]);
    for (const nothing of [{}, { webhook_type: "ITEM" }, { webhook_code: "ERROR" }, null]) {
      expect(eventsOf(source, nothing)).toHaveProperty("fault");
    }
    const composed = source.compose?.({ type: "ITEM.ERROR", id: "1", data: { item_id: "i" }, nowMs: 0 });
    expect(JSON.parse(composed?.body ?? "")).toEqual({
      webhook_type: "ITEM",
      webhook_code: "ERROR",
      item_id: "i",
    });
  });

  it("answers 200 for 202, which Plaid would take for a failure", () => {
    const { answer } = plaid({ key: () => undefined });
    const outcome = { status: "accepted" } as Parameters<NonNullable<Source["answer"]>>[0];
    expect(answer?.({ ...outcome, httpStatus: 202 })).toMatchObject({ status: 200 });
    expect(answer?.({ ...outcome, httpStatus: 401 })).toBeUndefined();
  });

  it.each<[unknown, string]>([
    [
      {},
      "plaid.key must be a function that asks Plaid's /webhook_verification_key/get for a key, not undefined",
    ],
    [{ key: jwk() }, "plaid.key must be a function"],
    [{ key: jwk, keys: [] }, 'plaid has no option "keys"; did you mean "key"?'],
  ])("refuses the options %j", (options, message) => {
    expect(() => plaid(options as PlaidOptions)).toThrow(message);
  });
});
