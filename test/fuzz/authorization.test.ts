import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createReceiver } from "hookgate";
import { createFakeClock, createTestSigner } from "hookgate/testing";
import {
  type AuthPolicy,
  authenticate,
  credentialInQuery,
  readBearer,
  readKey,
} from "../../src/auth/authenticate.js";
import { singleServiceCredentials } from "../../src/auth/credentials/define.js";
import { VerifiedTokenCache } from "../../src/auth/jwt/cache.js";
import { Refusal } from "../../src/errors.js";
import { quiet } from "../support/quiet.js";
import { mutated, nasty } from "./mutate.js";
import { check, checkAsync } from "./settings.js";

const key = "canary-key-0123456789abcdef0123456789";
const clock = createFakeClock();
const signer = await createTestSigner("HS256");
const token = await signer.sign({ iss: "orders", exp: clock.now() / 1000 + 60 });

const bearerName = fc.constantFrom("Authorization", "authorization", "AUTHORIZATION", "aUthorization");
const keyName = fc.constantFrom("key", "Key", "KEY");
const otherName = fc.constantFrom(
  "Host",
  "Proxy-Authorization",
  "X-Forwarded-Authorization",
  "Authorization ",
  "authorisation",
  "Keys",
  "ke",
  "x-key",
  "__proto__",
  "constructor",
  "",
);
const scheme = fc.constantFrom("Bearer", "bearer", "BEARER", "Basic", "Key", "JWT", "Bearerer", "Beare", "");
const gap = fc.constantFrom(" ", "  ", "", "\t", "\u00a0", ",", "=", " \t");
const credential = fc.constantFrom(
  token,
  key,
  "a.b.c",
  "",
  `${token},${token}`,
  `Bearer ${token}`,
  `"${token}"`,
);
const value = mutated(
  fc.tuple(scheme, gap, credential).map((parts) => parts.join("")),
  2,
);
const keyValue = mutated(fc.constantFrom(key, `${key},${key}`, `${key} `, key.toUpperCase(), "", token), 2);

type Line = readonly [name: string, value: string];
const authorizationLine: fc.Arbitrary<Line> = fc.tuple(bearerName, value);
const keyLine: fc.Arbitrary<Line> = fc.tuple(keyName, keyValue);
const otherLine: fc.Arbitrary<Line> = fc.tuple(otherName, fc.oneof(value, keyValue, fc.string()));
const lines = fc.array(
  fc.oneof({ weight: 3, arbitrary: authorizationLine }, { weight: 3, arbitrary: keyLine }, otherLine),
  { maxLength: 5 },
);
const isNamed =
  (wanted: string) =>
  ([name]: Line): boolean =>
    name.toLowerCase() === wanted;

describe("the Authorization header, fuzzed", () => {
  it("B01-B05 B08 gives a token only where it stands alone behind Bearer, and hides none", () => {
    check(
      1500,
      fc.property(lines, (given) => {
        const found = readBearer(given.flat());
        const [first, second] = given.filter(isNamed("authorization"));
        if (first === undefined) return expect(found).toBeUndefined();
        if (second !== undefined) return expect(found).toMatchObject({ code: "ERR_CREDENTIAL_REPEATED" });
        const [, text] = first;
        if (found instanceof Refusal) {
          const readable = /^[\x20-\x7e]*$/.test(text);
          return expect(found.code).toBe(readable ? "ERR_TOKEN_INVALID" : "ERR_HEADER_MALFORMED");
        }
        if (found !== undefined) {
          expect(text.slice(0, 6).toLowerCase()).toBe("bearer");
          return expect(text.slice(6)).toBe(found.token === "" && text.length === 6 ? "" : ` ${found.token}`);
        }
        // What is passed over names another scheme by RFC 9110: its leading token is not "bearer".
        expect(/^[\w!#$%&'*+.^`|~-]*/.exec(text)?.[0].toLowerCase()).not.toBe("bearer");
      }),
    );
  });

  it("B07 is not impressed by whatever else stands in the request", () => {
    check(
      500,
      fc.property(
        authorizationLine,
        fc.array(fc.oneof(keyLine, otherLine)),
        fc.nat(),
        (line, others, place) => {
          const at = place % (others.length + 1);
          const all = [...others.slice(0, at), line, ...others.slice(at)];
          expect(readBearer(all.flat())).toEqual(readBearer([...line]));
        },
      ),
    );
  });

  it("C04 C05 gives a key byte for byte as it came, or refuses", () => {
    check(
      1500,
      fc.property(lines, (given) => {
        const found = readKey(given.flat(), "key");
        const values = given.filter(isNamed("key")).map(([, text]) => text);
        if (typeof found === "string") expect(values).toEqual([found]);
        else if (found === undefined) expect(values.join("")).toBe("");
        else expect(values.length > 1 || values[0]?.includes(",")).toBe(true);
      }),
    );
  });

  it("B06 sees access_token in a query wherever URLSearchParams sees it", () => {
    const name = mutated(fc.constantFrom("access_token", "access%5Ftoken", "%61ccess_token", "a"), 1);
    const query = fc.array(fc.tuple(name, fc.constantFrom("", "=", "=x", "==")).map((pair) => pair.join("")));
    check(
      1000,
      fc.property(fc.constantFrom("", "/", "/a;b", "//x%3f"), query, (path, pairs) => {
        const text = pairs.join("&");
        const seen = new URLSearchParams(`&${text}`).has("access_token");
        if (seen) expect(credentialInQuery(`${path}?${text}`, ["access_token"])).toBe("access_token");
        expect(credentialInQuery(text.replaceAll("?", ""), ["access_token"])).toBeUndefined();
      }),
    );
  });
});

describe("who decides, fuzzed", () => {
  const { credentials } = singleServiceCredentials(
    { name: "orders", serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
    "auth",
    clock,
  );
  const asked: string[] = [];
  const source: typeof credentials = {
    ...credentials,
    findKey: (digest, kind) => {
      asked.push(digest);
      return credentials.findKey(digest, kind);
    },
  };
  const policy: AuthPolicy = {
    keyKinds: ["service-key"],
    keyHeader: "key",
    credentials: source,
    tokens: new VerifiedTokenCache(source),
  };

  it("A35 C12 lets in by the byte-identical credential alone, and never reads a key beside a Bearer", async () => {
    const accepted = new Set<string>();
    await checkAsync(
      1500,
      fc.asyncProperty(lines, async (given) => {
        asked.length = 0;
        const found = await authenticate("/", given.flat(), policy, clock.now());
        const bearers = given.filter(isNamed("authorization")).map(([, text]) => text);
        const keys = given.filter(isNamed("key")).map(([, text]) => text);
        if (readBearer(given.flat()) !== undefined) expect(asked).toEqual([]);
        if (found instanceof Refusal) return expect(found.reason).not.toMatch(/canary|eyJ/i);
        accepted.add(found.caller.method);
        if (found.caller.method === "jwt") expect(bearers[0]?.slice(7)).toBe(token);
        else expect([found.caller.method, keys]).toEqual(["service-key", [key]]);
      }),
    );
    // Otherwise the grammar has drifted away from what is valid, and nothing was tried.
    expect([...accepted].sort()).toEqual(["jwt", "service-key"]);
  });
});

it("TypeErrors are all that construction throws, whatever stands for a credential", () => {
  const odd = fc.oneof(fc.anything({ maxDepth: 2 }), fc.string(), mutated(fc.constant(key)), nasty);
  const options = fc.oneof(
    fc.record({ serviceKey: odd }),
    fc.record({ jwt: fc.record({ issuer: odd, secret: odd }, { requiredKeys: [] }) }),
    fc.record({ jwt: fc.record({ issuer: fc.constant("a"), publicKey: odd, algorithms: odd }) }),
    odd,
  );
  check(
    400,
    fc.property(options, (auth) => {
      try {
        createReceiver({ name: "orders", auth: auth as { serviceKey: string }, logger: quiet });
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        expect(String(error)).toMatch(/createReceiver/);
        expect(String(error)).not.toContain("canary");
      }
    }),
  );
});
