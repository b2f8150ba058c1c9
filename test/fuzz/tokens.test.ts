import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createFakeClock, createTestSigner } from "hookgate/testing";
import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { VerifiedTokenCache } from "../../src/auth/jwt/cache.js";
import { parseJwtOptions } from "../../src/auth/jwt/options.js";
import { parseToken } from "../../src/auth/jwt/parse.js";
import { verifyToken } from "../../src/auth/jwt/verify.js";
import { Refusal } from "../../src/errors.js";
import type { CredentialProvider, TokenCredential } from "../../src/types/credential.js";
import { signHs } from "../unit/auth/jwt/token-builder.js";
import { mutated, nasty } from "./mutate.js";
import { check, checkAsync } from "./settings.js";

const clock = createFakeClock();
const nowMs = clock.now();
const now = nowMs / 1000;
const owner = { tenant: "t", service: "s", allowIps: [] };
const families = ["HS256", "RS256", "PS256", "ES256", "EdDSA"] as const;
const signers = await Promise.all(families.map((family) => createTestSigner(family)));
const issuerOf = (family: string): string => `issuer-${family}`;
const good = await Promise.all(
  signers.map(({ algorithm, sign }, n) =>
    sign({ iss: issuerOf(algorithm), aud: "hooks", exp: now + 60, jti: `j${n}` }, { kid: "k", typ: "JWT" }),
  ),
);
const credentials: readonly TokenCredential[] = signers.map(({ algorithm, verification }) =>
  parseJwtOptions({ issuer: issuerOf(algorithm), audience: "hooks", kid: "k", ...verification }, "jwt", {
    owner,
    defaultId: algorithm,
    clock,
  }),
);
const source: CredentialProvider = {
  findKey: () => undefined,
  findTokenCredentials: ({ issuer }) => credentials.filter(({ policy }) => policy.issuer === issuer),
};

const whole = fc.constantFrom(...good);
const part = whole.chain((token) => fc.constantFrom(...token.split(".")));
const reencoded = fc
  .tuple(part, fc.constantFrom("alg", "kid", "typ", "iss", "exp", "aud", "crit", "jwk"), nasty)
  .map(([text, name, char]) => {
    const json = Buffer.from(text, "base64url").toString("latin1");
    const changed = json.includes(`"${name}"`)
      ? json.replace(`"${name}":"`, `"${name}":"${JSON.stringify(char).slice(1, -1)}`)
      : json.replace("{", `{"${name}":${JSON.stringify(char)},`);
    return Buffer.from(changed, "latin1").toString("base64url");
  });
/** Tokens that are nearly good: edited, put together of several, with parts written anew. */
const nearly = fc.oneof(
  mutated(whole),
  fc
    .array(fc.oneof({ weight: 4, arbitrary: part }, reencoded, fc.constantFrom("", "e30", "bnVsbA")), {
      minLength: 1,
      maxLength: 5,
    })
    .map((parts) => parts.join(".")),
  fc
    .tuple(whole, reencoded, fc.nat(2))
    .map(([token, piece, at]) => token.split(".").with(at, piece).join(".")),
);

describe("tokens, fuzzed", () => {
  it("A02 A20 A21 accepts no token but those that were signed, byte for byte, though it remembers them", async () => {
    const memory = new VerifiedTokenCache(source);
    for (const token of good) expect(await memory.verify(token, nowMs)).not.toBeInstanceOf(Refusal);
    await checkAsync(
      2500,
      fc.asyncProperty(nearly, async (token) => {
        const signed = good.includes(token);
        const answers = [await memory.verify(token, nowMs), await verifyToken(token, source, nowMs)];
        for (const answer of answers) {
          expect(answer instanceof Refusal).toBe(!signed);
          if (answer instanceof Refusal) {
            expect(answer.code).toBe("ERR_TOKEN_INVALID");
            expect(answer.reason).not.toMatch(/eyJ/);
          }
        }
      }),
    );
  });

  it("A23 reads of a token what jose reads, or nothing", () => {
    const noise = fc.oneof(
      nearly,
      fc.string(),
      fc.array(nasty, { maxLength: 20 }).map((all) => all.join("")),
    );
    check(
      2000,
      fc.property(noise, (token) => {
        const parsed = parseToken(token);
        if (!parsed.ok) return expect(parsed.reason).toMatch(/^the (token|header)/);
        expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
        expect(decodeJwt(token)).toEqual(parsed.claims);
        expect(decodeProtectedHeader(token)).toMatchObject({ alg: parsed.algorithm });
      }),
    );
  });
});

describe("signed tokens, fuzzed against jose", () => {
  const secret = new Uint8Array(randomBytes(32));
  const policies = [
    { audience: "hooks" },
    { audience: ["a", "hooks"], clockTolerance: "30s" },
    { maxAge: "2m", clockTolerance: "0s" },
    { requiredClaims: ["sub"], clockTolerance: "1s" },
    { typ: "secevent+jwt" },
  ];
  const times = fc.oneof(
    fc.integer({ min: -400, max: 400 }).map((offset) => now + offset),
    fc.constantFrom(now, now + 0.5, now + 1e6, now * 1000, 0, -1, 1e300, null, String(now), true, [now]),
  );
  const names = fc.constantFrom("hooks", "Hooks", "hook", "hooks ", "a", "");
  const payload = fc.record(
    {
      iss: fc.oneof(
        { weight: 9, arbitrary: fc.constant("orders") },
        fc.constantFrom("Orders", "", 1, ["orders"]),
      ),
      aud: fc.oneof(
        names,
        fc.array(names, { maxLength: 3 }),
        fc.constantFrom(null, 1, ["hooks", 1], [["hooks"]]),
      ),
      exp: times,
      nbf: times,
      iat: times,
      sub: fc.constantFrom("s", "", 1, null),
      jti: fc.constantFrom("j", 7),
    },
    { requiredKeys: [] },
  );
  const likely = fc
    .tuple(payload, fc.boolean())
    .map(([claims, plain]) => ({ iss: "orders", aud: "hooks", exp: now + 60, ...(plain ? {} : claims) }));
  /** JSON as JSON.stringify never writes it: repeated members, spaces, escapes, other encodings. */
  const written = fc.oneof(
    { weight: 5, arbitrary: fc.oneof(payload, likely).map((claims) => JSON.stringify(claims)) },
    mutated(
      likely.map((claims) => JSON.stringify(claims, null, 1)),
      2,
    ),
    likely.map((claims) => JSON.stringify(claims).replace('"iss"', '"\\u0069ss"')),
    fc.tuple(likely, payload).map((two) =>
      two
        .map((claims) => JSON.stringify(claims))
        .join("")
        .replace("}{", ","),
    ),
  );
  const header = fc.oneof(
    { weight: 6, arbitrary: fc.constant('{"alg":"HS256"}') },
    fc
      .constantFrom("JWT", "jwt", "application/jwt", "secevent+jwt", "application/secevent+jwt", "at+jwt", 1)
      .map((typ) => JSON.stringify({ alg: "HS256", typ })),
    mutated(
      fc.constantFrom('{"alg":"HS256","kid":"k"}', '{"alg":"HS256","alg":"none"}', '{"alg":"HS384"}'),
      2,
    ),
  );

  it("A23-A27 accepts nothing that jose refuses, and reads the same claims", async () => {
    const made = policies.map((more, n) =>
      parseJwtOptions({ issuer: "orders", kid: "k", secret, ...more }, "jwt", {
        owner,
        defaultId: `p${n}`,
        clock,
      }),
    );
    let accepted = 0;
    await checkAsync(
      2500,
      fc.asyncProperty(header, written, fc.nat(policies.length - 1), async (head, body, n) => {
        const credential = made[n] as TokenCredential;
        const token = signHs(head, Buffer.from(body), secret);
        const ours = await verifyToken(
          token,
          { findKey: () => undefined, findTokenCredentials: () => [credential] },
          nowMs,
        );
        if (ours instanceof Refusal) return expect(ours.code).toBe("ERR_TOKEN_INVALID");
        accepted++;
        const { audience, maxAgeSeconds, clockToleranceSeconds } = credential.policy;
        const theirs = await jwtVerify(token, secret, {
          algorithms: ["HS256"],
          issuer: "orders",
          currentDate: new Date(nowMs),
          clockTolerance: clockToleranceSeconds,
          requiredClaims: maxAgeSeconds === undefined ? ["exp"] : [],
          ...(audience === undefined ? {} : { audience: [...audience] }),
          ...(maxAgeSeconds === undefined ? {} : { maxTokenAge: maxAgeSeconds }),
        });
        expect(theirs.payload).toEqual(ours.claims);
      }),
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

describe("tokens too large to be meant", () => {
  const part64 = Buffer.from("{".repeat(1_000_000)).toString("base64url");
  it.each([
    ["dots", ".".repeat(2_000_000)],
    ["one part", "A".repeat(5_000_000)],
    ["a deep payload", `eyJhbGciOiJIUzI1NiJ9.${part64}.AAAA`],
    ["quotes", '"'.repeat(1_000_000)],
  ])("A22 refuses %s unread", async (_what, token) => {
    expect(await verifyToken(token, source, nowMs)).toMatchObject({
      reason: `the token has ${token.length} characters; at most 8192 are accepted`,
    });
  });

  it("A22 reads the largest and most nested tokens that fit, and refuses them", async () => {
    for (const filler of ["[", '{"a":', '"\\u0000', "\\", '{"a":1,', "9"]) {
      const payload = filler.repeat(Math.floor(6000 / filler.length));
      const token = `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(payload).toString("base64url")}.AAAA`;
      expect(token.length).toBeLessThanOrEqual(8192);
      expect(await verifyToken(token, source, nowMs)).toMatchObject({ code: "ERR_TOKEN_INVALID" });
    }
  });
});
