import { createServer as createTlsServer } from "node:https";
import { afterAll, describe, expect, it } from "@jest/globals";
import {
  type AuthOptions,
  type CredentialProvider,
  createReceiver,
  credentialsFromLookup,
  defineCredentials,
  type JwtOptions,
  requireAuth,
} from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";
import { certificate, certificateKey } from "../unit/auth/jwt/tls-fixture.js";

const scene = createScene();
afterAll(scene.close);
const clock = createFakeClock();
const now = clock.now() / 1000;
const signer = await createTestSigner("HS256");
const second = await createTestSigner("HS256");
const publicSigner = await createTestSigner("ES256");
const stranger = await createTestSigner("HS256");
const claims = { iss: "orders", iat: now, exp: now + 60, note: scene.secret("claim") };
const sign = async (...args: Parameters<typeof signer.sign>) => scene.keep(await signer.sign(...args));
const key = scene.secret("key");

function receiverWith(auth: AuthOptions, handled: () => void = () => {}) {
  const receiver = createReceiver({
    name: "orders",
    auth,
    clock,
    logger: scene.logger,
    hooks: scene.hooks,
    type: () => "any",
  });
  receiver.onAny(handled);
  return receiver;
}

/** A source whose JWT lookup is the one given. */
const sourceOf = (find: CredentialProvider["findTokenCredentials"]): CredentialProvider => ({
  findKey: () => undefined,
  findTokenCredentials: find,
});

describe.each(mounts)("A: tokens on %s", (_name, mount) => {
  it("A36 answers every bad token with the same bytes, whatever is wrong with it", async () => {
    const port = await scene.listen(
      mount(
        receiverWith({
          serviceKey: key,
          jwt: [
            { id: "one", issuer: "orders", ...signer.verification },
            { id: "off", issuer: "paused", state: "inactive", ...second.verification },
          ],
        }).middleware(),
      ),
    );
    const bad = [
      await stranger.sign(claims),
      await stranger.sign(claims, { kid: "one" }),
      await sign(claims, { kid: "unknown" }),
      await sign({ ...claims, exp: now - 1000 }),
      await sign({ ...claims, nbf: now + 1000 }),
      await sign({ ...claims, iss: "nobody" }),
      await sign({ ...claims, iss: "paused" }),
      await second.sign({ ...claims, iss: "paused" }),
      await sign(claims, { typ: "at+jwt" }),
      `${await sign(claims)}x`,
      "a.b.c",
      "x",
    ];
    const answers = new Set<string>();
    for (const token of bad) {
      const { status, headers, text } = await scene.send(port, { token: scene.keep(token), key, body: {} });
      const { date, "x-request-id": requestId, ...others } = headers;
      expect(date !== undefined && requestId !== undefined).toBe(true);
      answers.add(JSON.stringify([status, others, text]));
    }
    expect([...answers]).toEqual([expect.stringContaining("invalid_token")]);
    // The operator is told which it was.
    const reasons = scene.takeLog().filter((line) => line.startsWith("refused"));
    expect(new Set(reasons).size).toBeGreaterThan(7);
  });

  it("A22 refuses a token over 8 KiB unread, and Node headers over 16 KiB", async () => {
    const port = await scene.listen(
      mount(receiverWith({ jwt: { issuer: "orders", ...signer.verification } }).middleware()),
    );
    const long = await sign({ ...claims, pad: "p".repeat(7000) });
    expect(long.length).toBeGreaterThan(8192);
    expect((await scene.send(port, { token: long, body: {} })).status).toBe(401);
    expect(scene.takeLog().join()).toContain("at most 8192 are accepted");
    const wire = await scene.open(port);
    await wire.send(postHead(`Authorization: Bearer ${"a".repeat(20_000)}`));
    expect((await wire.answers(1))[0]?.status).toBe(431);
    await wire.ended;
  });
});

describe("A: keys of tokens", () => {
  it("A09 gives a token with an unknown kid no other key, though its signature is right", async () => {
    const receiver = receiverWith({
      jwt: [
        { id: "one", issuer: "orders", ...signer.verification },
        { id: "two", issuer: "orders", ...second.verification },
      ],
    });
    const port = await scene.listen(mounts[0]![1](receiver.middleware()));
    const status = async (kid?: string) =>
      (await scene.send(port, { token: await sign(claims, kid === undefined ? {} : { kid }), body: {} }))
        .status;
    expect([await status("one"), await status("two"), await status("three"), await status()]).toEqual([
      200, 401, 401, 200,
    ]);
  });

  const unnamed = { issuer: "orders", ...signer.verification };
  const { publicKey } = publicSigner.verification;
  const jwk = publicKey as object;
  const byPublicKey = { issuer: "orders", publicKey: jwk } as JwtOptions;

  it.each<[string, JwtOptions | readonly JwtOptions[], (string | undefined)[]]>([
    ["a secret", unnamed, ["k1", "__proto__", undefined]],
    [
      "a secret beside another issuer's",
      [unnamed, { ...second.verification, issuer: "other" }],
      ["k1", undefined],
    ],
    ["a JWK", byPublicKey, ["k1", undefined]],
  ])("A09 checks a token with any kid by the issuer's only credential: %s", async (_case, jwt, kids) => {
    const from = jwt === byPublicKey ? publicSigner : signer;
    const app = receiverWith({ jwt }).requestListener("/");
    for (const kid of kids) {
      const token = scene.keep(await from.sign(claims, kid === undefined ? {} : { kid }));
      expect((await sendDelivery(app, { token, body: {} })).status).toBe(200);
      // From memory, too.
      expect((await sendDelivery(app, { token, body: {} })).status).toBe(200);
      const forged = scene.keep(await stranger.sign(claims, kid === undefined ? {} : { kid }));
      expect((await sendDelivery(app, { token: forged, body: {} })).status).toBe(401);
    }
  });

  it("A09 leaves the algorithms as they are where it takes any kid", async () => {
    const app = receiverWith({
      jwt: { ...unnamed, algorithms: ["HS384"], insecureShortSecret: true },
    }).requestListener("/");
    expect((await sendDelivery(app, { token: await sign(claims, { kid: "k1" }), body: {} })).status).toBe(
      401,
    );
  });

  it.each<[string, JwtOptions | readonly JwtOptions[]]>([
    ["a kid", { ...unnamed, kid: "k2" }],
    ["an id", { ...unnamed, id: "k2" }],
    ["a JWK's own kid", { ...byPublicKey, publicKey: { ...jwk, kid: "k2" } } as JwtOptions],
    ["a set of one key", { issuer: "orders", jwks: { keys: [jwk] } } as JwtOptions],
  ])("A09 refuses a token with an unknown kid where the key has %s", async (_case, jwt) => {
    const app = receiverWith({ jwt }).requestListener("/");
    for (const each of [signer, publicSigner]) {
      const token = scene.keep(await each.sign(claims, { kid: "k1" }));
      expect((await sendDelivery(app, { token, body: {} })).status).toBe(401);
    }
    expect(scene.takeLog().join()).not.toContain("give each a kid");
  });

  it.each<[string, Partial<JwtOptions>]>([
    ["", {}],
    [" that is inactive", { state: "inactive" }],
    [" that has expired", { expiresAt: new Date(clock.now() - 1) }],
    [" that is not valid yet", { notBefore: new Date(clock.now() + 1e9) }],
    [" for another audience", { audience: "elsewhere" }],
    [" with a kid", { kid: "k2" }],
  ])(
    "A09 refuses a token with an unknown kid beside a second credential%s, and says what to do",
    async (_case, more) => {
      const jwt = [unnamed, { issuer: "orders", ...second.verification, ...more }] as readonly JwtOptions[];
      const app = receiverWith({ jwt }).requestListener("/");
      expect((await sendDelivery(app, { token: await sign(claims, { kid: "k1" }), body: {} })).status).toBe(
        401,
      );
      expect(scene.takeLog().join()).toContain("this issuer now has two keys; give each a kid");
      expect((await sendDelivery(app, { token: await sign(claims), body: {} })).status).toBe(200);
    },
  );

  it("A09 says how many keys the issuer has where there are more than two", async () => {
    const jwt = [unnamed, second.verification, { ...second.verification, kid: "k3" }].map((each) => ({
      issuer: "orders",
      ...each,
    })) as readonly JwtOptions[];
    const app = receiverWith({ jwt }).requestListener("/");
    const token = scene.keep(await sign(claims, { kid: "k1" }));
    expect((await sendDelivery(app, { token, body: {} })).status).toBe(401);
    expect(scene.takeLog().join()).toContain("this issuer now has 3 keys; give each a kid");
  });

  it("A09 counts the issuer's credentials over all tenants, and never applies to lookups", async () => {
    const definition = { acme: { services: { orders: { jwt: unnamed } } } };
    const alone = defineCredentials({ tenants: definition });
    const other = {
      services: { orders: { jwt: { issuer: "orders", ...second.verification, state: "inactive" as const } } },
    };
    const two = defineCredentials({ tenants: { ...definition, zeta: other } });
    const found = credentialsFromLookup({
      token: () => ({ ...unnamed, id: "jwt-1", tenant: "acme", service: "orders" }),
    });
    const statuses: number[] = [];
    for (const credentials of [alone, two, found]) {
      const app = receiverWith({ credentials, accept: ["jwt"] }).requestListener("/");
      statuses.push((await sendDelivery(app, { token: await sign(claims, { kid: "k1" }), body: {} })).status);
    }
    expect(statuses).toEqual([200, 401, 401]);
  });

  it("A09 A31 fetches a remote key set once, however many kids are unknown", async () => {
    const remote = await createTestSigner("ES256");
    let fetches = 0;
    const publisher = createTlsServer({ cert: certificate, key: certificateKey }, (_req, res) => {
      fetches++;
      res.end(JSON.stringify({ keys: [{ ...(remote.verification.publicKey as object), kid: "k1" }] }));
    });
    const publisherPort = await scene.listen(publisher as never);
    const receiver = receiverWith({
      jwt: {
        issuer: "orders",
        jwksUri: {
          uri: `https://127.0.0.1:${publisherPort}/jwks.json`,
          ca: certificate,
          dangerouslyAllowPrivateAddress: true,
        },
      },
    });
    const port = await scene.listen(mounts[0]![1](receiver.middleware()));
    const send = async (kid: string) =>
      (await scene.send(port, { token: await remote.sign(claims, { kid }), body: {} })).status;
    const flood = await Promise.all(Array.from({ length: 50 }, (_, at) => send(`unknown-${at}`)));
    expect(new Set(flood)).toEqual(new Set([401]));
    expect(await send("k1")).toBe(200);
    expect(fetches).toBe(1);
    clock.advance("31s");
    expect([await send("unknown"), await send("unknown-2"), fetches]).toEqual([401, 401, 2]);
    await receiver.close();
  });

  it("A28 refuses a token of the same issuer that is meant for another tenant or route", async () => {
    const credentials = defineCredentials({
      tenants: {
        acme: {
          services: { a: { jwt: { issuer: "orders", audience: "https://a", ...signer.verification } } },
        },
        other: {
          services: { b: { jwt: { issuer: "orders", audience: "https://b", ...second.verification } } },
        },
      },
    });
    const port = await scene.listen(
      mounts[0]![1](receiverWith({ accept: ["jwt"], credentials }).middleware()),
    );
    const status = async (aud: string, by = signer) =>
      (await scene.send(port, { token: await by.sign({ ...claims, aud }), body: {} })).status;
    expect([await status("https://a"), await status("https://b"), await status("https://b", second)]).toEqual(
      [200, 401, 200],
    );
  });

  it("A30 refuses a token from the moment its key is taken away", async () => {
    let known = true;
    const found = { id: "one", tenant: "t", service: "s", issuer: "orders", ...signer.verification };
    const credentials = credentialsFromLookup({ token: () => (known ? found : undefined) }, { clock });
    const port = await scene.listen(
      mounts[0]![1](receiverWith({ accept: ["jwt"], credentials }).middleware()),
    );
    const token = await sign(claims);
    expect((await scene.send(port, { token, body: {} })).status).toBe(200);
    known = false;
    expect((await scene.send(port, { token, body: {} })).status).toBe(401);
    known = true;
    expect((await scene.send(port, { token, body: {} })).status).toBe(200);
  });
});

const boom = (): never => {
  throw new Error(`the store says ${key}`);
};
const credential = {
  kind: "jwt",
  id: "one",
  owner: { tenant: "t", service: "s", allowIps: [] },
  active: true,
  notBeforeMs: 0,
  expiresAtMs: Number.POSITIVE_INFINITY,
  policy: {
    issuer: "orders",
    audience: undefined,
    algorithms: ["HS256"],
    maxAgeSeconds: undefined,
    maxLifetimeSeconds: 86_400,
    clockToleranceSeconds: 0,
    requiredClaims: [],
    typ: "jwt",
    bodyHashClaim: undefined,
  },
} as const;
const broken: readonly (readonly [string, unknown])[] = [
  ["throws", boom],
  ["rejects", async () => boom()],
  ["rejects with null", () => Promise.reject(null)],
  ["returns null", () => null],
  ["resolves with null", async () => null],
  ["returns text", () => "x"],
  ["returns credentials without rules", () => [{ ...credential, policy: undefined }]],
  ["returns [null]", async () => [null]],
  ["has keys that throw", () => [{ ...credential, keys: { find: boom } }]],
  ["has keys that are null", async () => [{ ...credential, keys: { find: async () => null } }]],
  [
    "has a key that cannot be imported",
    () => [
      {
        ...credential,
        keys: { find: () => [{ kid: undefined, algorithms: ["HS256"], cryptoKey: async () => boom() }] },
      },
    ],
  ],
  [
    "has a key that is no key",
    () => [
      {
        ...credential,
        keys: { find: () => [{ kid: undefined, algorithms: ["HS256"], cryptoKey: () => ({}) }] },
      },
    ],
  ],
];

it("A34 refuses a token whose credential has a lifetime that is no number", async () => {
  for (const lifetime of [{ expiresAtMs: Number.NaN }, { notBeforeMs: Number.NaN }]) {
    const { secret } = signer.verification;
    const keyObject = await crypto.subtle.importKey(
      "raw",
      secret as Uint8Array<ArrayBuffer>,
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    const keys = { find: () => [{ kid: undefined, algorithms: ["HS256"], cryptoKey: () => keyObject }] };
    const status = async (more: object) => {
      const credentials = sourceOf(() => [{ ...credential, keys, ...more }]);
      const receiver = receiverWith({ accept: ["jwt"], credentials });
      const port = await scene.listen(mounts[0]![1](receiver.middleware()));
      return (await scene.send(port, { token: await sign(claims), body: {} })).status;
    };
    expect([await status({}), await status(lifetime)]).toEqual([200, 401]);
  }
});

describe.each(broken)("A34 where the check of a token %s", (_case, find) => {
  const source = sourceOf(find as CredentialProvider["findTokenCredentials"]);

  it("a receiver fails closed: 500, no handler, no detail outside", async () => {
    let handled = 0;
    const receiver = receiverWith({ accept: ["jwt", "service-key"], credentials: source }, () => handled++);
    const port = await scene.listen(mounts[2]![1](receiver.middleware()));
    const answer = await scene.send(port, { token: await sign(claims), key: "k".repeat(32), body: {} });
    expect([answer.status, answer.text]).toEqual([
      500,
      '{"type":"about:blank","title":"Internal Server Error","status":500}',
    ]);
    expect(handled).toBe(0);
  });

  it("requireAuth fails closed: 500, next is not called", async () => {
    let passed = 0;
    const guard = requireAuth({ accept: ["jwt"], credentials: source, clock, logger: scene.logger });
    const answer = await sendDelivery((req, res) => guard(req, res, () => res.end(String(passed++))), {
      token: await sign(claims),
      body: {},
    });
    expect([answer.status, passed]).toEqual([500, 0]);
  });
});

it("I01 shows no token, key or claim in log and answers", () => {
  // What a user's own source throws is the user's to word: it stands in the log, as the error it is.
  const ours = scene.leaks().filter((line) => !line.includes("the store says"));
  expect(ours).toEqual([]);
});
