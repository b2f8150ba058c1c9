/** Deliveries of sources whose proof is a token, changed on their way: none that says anything else is taken. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { PublicJwk } from "../../src/keys/public-key.js";
import { atlassianConnect, canonicalRequest } from "../../src/sources/atlassian-connect.js";
import { googlePubSub } from "../../src/sources/google-pubsub.js";
import { type PlaidKey, plaid } from "../../src/sources/plaid.js";
import { vonage } from "../../src/sources/vonage.js";
import { createTestSigner } from "../../src/testing/index.js";
import type { Source } from "../../src/types/source.js";
import { nowSeconds, tokenGate } from "../support/token-source.js";
import { mutated } from "./mutate.js";
import { checkAsync } from "./settings.js";

const secret = "fZ7Hq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfU";
const hmac = await createTestSigner("HS256", Buffer.from(secret));
const es = await createTestSigner("ES256");
const rs = await createTestSigner("RS256");
const body = '{"message_uuid":"m1","status":"delivered","n":1.0}';
const url = "/hooks?a=1&b=x%20y";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const iat = nowSeconds;
const jwkOf = (signer: typeof es) => signer.verification.publicKey as PublicJwk;

interface Sample {
  readonly source: Source;
  readonly header: string;
  readonly scheme: string;
  readonly token: string;
  /** Whether a delivery that was taken says what was signed. */
  same(sent: { readonly url: string; readonly body: string }): boolean;
}

const samples: Readonly<Record<string, Sample>> = {
  vonage: {
    source: vonage({ secret }),
    ...{ header: "authorization", scheme: "Bearer" },
    token: await hmac.sign({ iss: "Vonage", iat, jti: "j", payload_hash: sha256(body) }),
    same: (sent) => sent.body === body,
  },
  plaid: {
    source: plaid({ key: (kid) => ({ ...(jwkOf(es) as PlaidKey), kid }) }),
    ...{ header: "plaid-verification", scheme: "" },
    token: await es.sign({ iat, request_body_sha256: sha256(body) }, { kid: "k1" }),
    same: (sent) => sent.body === body,
  },
  atlassianConnect: {
    source: atlassianConnect({
      baseUrl: "https://app.example.com",
      client: () => ({ sharedSecret: secret }),
    }),
    ...{ header: "authorization", scheme: "JWT" },
    token: await hmac.sign({ iss: "c", iat, exp: iat + 60, qsh: sha256("POST&/hooks&a=1&b=x%20y") }),
    same: (sent) => canonicalRequest("POST", sent.url, "") === canonicalRequest("POST", url, ""),
  },
  googlePubSub: {
    source: googlePubSub({
      ...{ audience: "https://app.example.com", serviceAccount: "a@x.example" },
      jwks: { keys: [{ ...jwkOf(rs), kid: "g1" }] },
    }) as Source,
    ...{ header: "authorization", scheme: "Bearer" },
    token: await rs.sign(
      {
        ...{ iss: "https://accounts.google.com", aud: "https://app.example.com", iat, exp: iat + 60 },
        ...{ email: "a@x.example", email_verified: true },
      },
      { kid: "g1" },
    ),
    same: () => true,
  },
};

describe.each(Object.entries(samples))("A F deliveries of %s", (_name, sample) => {
  const { source, header, scheme, token, same } = sample;
  const gate = tokenGate(source);
  const value = scheme === "" ? token : `${scheme} ${token}`;

  it("are taken as they were sent", async () => {
    expect(await gate.ask([header, value], { url, body })).toMatchObject({ method: "jwt" });
  });

  it("are taken with nothing of it changed that is signed", async () => {
    const changed = fc.record({
      value: fc.oneof(fc.constant(value), mutated(fc.constant(value))),
      url: fc.oneof(fc.constant(url), mutated(fc.constant(url))),
      body: fc.oneof(fc.constant(body), mutated(fc.constant(body))),
    });
    await checkAsync(
      2_500,
      fc.asyncProperty(changed, async (sent) => {
        const answer = await gate.ask([header, sent.value], sent);
        if (typeof answer === "string") return;
        // Of the header, the case of the scheme alone is free.
        const from = value.length - token.length;
        expect(sent.value.slice(from)).toBe(token);
        expect(sent.value.slice(0, from).toLowerCase()).toBe(value.slice(0, from).toLowerCase());
        expect(same(sent)).toBe(true);
      }),
    );
  });

  it("are refused where claims or header of the token were changed under its signature", async () => {
    const [head = "", payload = "", signature = ""] = token.split(".");
    const decoded = (part: string) => Buffer.from(part, "base64url").toString();
    const encoded = (text: string) => Buffer.from(text).toString("base64url");
    const parts = fc.tuple(mutated(fc.constant(decoded(head))), mutated(fc.constant(decoded(payload))));
    await checkAsync(
      1_000,
      fc.asyncProperty(parts, async ([newHead, newPayload]) => {
        const forged = `${encoded(newHead)}.${encoded(newPayload)}.${signature}`;
        const sent = scheme === "" ? forged : `${scheme} ${forged}`;
        const answer = await gate.ask([header, sent], { url, body });
        if (typeof answer !== "string") expect(forged).toBe(token);
      }),
    );
  });
});
