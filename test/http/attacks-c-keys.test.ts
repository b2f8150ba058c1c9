import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import {
  type CredentialProvider,
  createReceiver,
  credentialsFromLookup,
  defineCredentials,
  type FoundKey,
  requireAuth,
} from "hookgate";
import { createFakeClock } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const clock = createFakeClock();
const start = clock.now();
const key = scene.secret("key");
const onNodeHttp = mounts[0]![1];

function listenWith(credentials: CredentialProvider, handled: (id: string) => void = () => {}) {
  const receiver = createReceiver({
    name: "orders",
    auth: { accept: ["service-key"], credentials },
    type: () => "any",
    clock,
    logger: scene.logger,
    hooks: scene.hooks,
  });
  receiver.onAny((_event, { caller }) => handled(caller.method === "none" ? "" : caller.credentialId));
  return scene.listen(onNodeHttp(receiver.middleware()));
}

const serviceWith = (serviceKeys: readonly { id: string; key: string; [option: string]: unknown }[]) =>
  defineCredentials({ tenants: { acme: { services: { orders: { serviceKeys } } } } });

describe.each(mounts)("C: service keys on %s", (_name, mount) => {
  const listen = () => {
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      type: () => "any",
      clock,
      logger: scene.logger,
      hooks: scene.hooks,
    });
    receiver.onAny(() => {});
    return scene.listen(mount(receiver.middleware()));
  };

  it.each([
    ["C03 the header absent", [], "ERR_CREDENTIAL_MISSING", 401],
    ["C03 the header empty", ["Key:"], "ERR_CREDENTIAL_MISSING", 401],
    ["C03 nothing but white space", ["Key:  \t "], "ERR_CREDENTIAL_MISSING", 401],
    ["C04 the header twice", [`Key: ${key}`, `Key: ${key}`], "ERR_CREDENTIAL_REPEATED", 400],
    [
      "C04 the header twice, in other letters",
      [`key: ${key}`, `KEY: ${key}`],
      "ERR_CREDENTIAL_REPEATED",
      400,
    ],
    ["C04 an empty line first", ["Key:", `Key: ${key}`], "ERR_CREDENTIAL_REPEATED", 400],
    ["C04 two joined", [`Key: ${key}, ${key}`], "ERR_CREDENTIAL_REPEATED", 400],
    ["C04 one and a comma", [`Key: ${key},`], "ERR_CREDENTIAL_REPEATED", 400],
    ["C05 another case", [`Key: ${key.toUpperCase()}`], "ERR_KEY_INVALID", 401],
    ["C05 quotes", [`Key: "${key}"`], "ERR_KEY_INVALID", 401],
    ["C05 a space inside", [`Key: ${key.replace("-", " -")}`], "ERR_KEY_INVALID", 401],
    ["C05 a full-width letter", [`Key: ${key.replace("c", "\uff43")}`], "ERR_KEY_INVALID", 401],
    ["C05 a decomposed letter", [`Key: ${key.replace("a", "a\u0301")}`], "ERR_KEY_INVALID", 401],
    ["C05 a byte order mark", [`Key: \ufeff${key}`], "ERR_KEY_INVALID", 401],
    ["C05 a no-break space behind", [`Key: ${key}\u00a0`], "ERR_KEY_INVALID", 401],
    ["C06 __proto__", ["Key: __proto__"], "ERR_KEY_INVALID", 401],
    ["C06 constructor", ["Key: constructor"], "ERR_KEY_INVALID", 401],
    ["C07 a prefix", [`Key: ${key.slice(0, -1)}`], "ERR_KEY_INVALID", 401],
    ["C07 another first character", [`Key: x${key.slice(1)}`], "ERR_KEY_INVALID", 401],
    ["C07 another last character", [`Key: ${key.slice(0, -1)}x`], "ERR_KEY_INVALID", 401],
    ["C07 one character more", [`Key: ${key}x`], "ERR_KEY_INVALID", 401],
    ["C07 10 kB that begin with the key", [`Key: ${key}${"x".repeat(10_000)}`], "ERR_KEY_INVALID", 401],
    ["B06 a Bearer in the key header", [`Key: Bearer ${key}`], "ERR_KEY_INVALID", 401],
    [
      "the digest instead",
      [`Key: ${createHash("sha256").update(key).digest("hex")}`],
      "ERR_KEY_INVALID",
      401,
    ],
  ] as const)("refuses %s", async (_case, lines, code, status) => {
    const wire = await scene.open(await listen());
    const head = postHead(...lines, "Content-Type: application/json", "Content-Length: 2");
    await wire.send(Buffer.from(`${head}{}`, "utf8"));
    const [answer] = await wire.answers(1);
    expect([answer?.status, JSON.parse(answer!.body)]).toMatchObject([status, { code }]);
  });

  it("C01 C07 answers all wrong keys with the same bytes, and a key of 1 MB with 431", async () => {
    const port = await listen();
    const answers = new Set<string>();
    for (const wrong of [
      "x",
      key.slice(1),
      `${key}x`,
      "y".repeat(512),
      "y".repeat(5000),
      key.toUpperCase(),
    ]) {
      const { status, headers, text } = await scene.send(port, { key: wrong, body: {} });
      const { date: _date, "x-request-id": _requestId, ...others } = headers;
      answers.add(JSON.stringify([status, others, text]));
    }
    expect(answers.size).toBe(1);
    const wire = await scene.open(port);
    await wire.send(postHead(`Key: ${"y".repeat(1_000_000)}`));
    expect((await wire.answers(1))[0]?.status).toBe(431);
  });
});

describe("C: lifetimes", () => {
  it("C08 takes old and new in the overlap, the old one to its last millisecond, and says which it was", async () => {
    const [oldKey, newKey] = [scene.secret("old"), scene.secret("new")];
    const end = clock.now() + 3_600_000;
    const used: string[] = [];
    const port = await listenWith(
      serviceWith([
        { id: "old", key: oldKey, expiresAt: new Date(end) },
        { id: "new", key: newKey, notBefore: new Date(end - 60_000) },
      ]),
      (id) => used.push(id),
    );
    const both = async () => [
      (await scene.send(port, { key: oldKey, body: {} })).status,
      (await scene.send(port, { key: newKey, body: {} })).status,
    ];
    expect(await both()).toEqual([200, 401]);
    clock.advance(`${end - 60_000 - 1 - clock.now()}ms`);
    expect(await both()).toEqual([200, 401]);
    clock.advance("1ms");
    expect(await both()).toEqual([200, 200]);
    clock.advance("59999ms");
    expect(await both()).toEqual([200, 200]);
    clock.advance("1ms");
    expect(await both()).toEqual([401, 200]);
    expect(used).toEqual(["old", "old", "old", "new", "old", "new", "new"]);
  });

  it("C09 refuses a key that is switched off, at once where the lookup says so", async () => {
    let state: "active" | "inactive" = "active";
    const found = (): FoundKey => ({ id: "k", tenant: "t", service: "s", state });
    const port = await listenWith(credentialsFromLookup({ key: found }, { clock }));
    expect((await scene.send(port, { key, body: {} })).status).toBe(200);
    state = "inactive";
    expect((await scene.send(port, { key, body: {} })).status).toBe(401);
    state = "active";
    expect((await scene.send(port, { key, body: {} })).status).toBe(200);
  });
});

describe("C13: a lookup that cannot answer", () => {
  const good: FoundKey = { id: "k", tenant: "t", service: "s" };
  const failures: readonly (readonly [string, () => unknown])[] = [
    ["throws", () => boom()],
    ["rejects", async () => boom()],
    ["rejects with nothing", () => Promise.reject()],
    ["returns null", () => null],
    ["resolves with null", async () => null],
    ["returns true", () => true],
    ["resolves with text", async () => "yes"],
    ["returns a list", () => [good]],
    ["returns an empty object", () => ({})],
    ["leaves the service out", () => ({ id: "k", tenant: "t" })],
    ["has a date that is none", () => ({ ...good, expiresAt: "soon" })],
    ["has an unknown member", () => ({ ...good, enabled: true })],
    ["has a state that is none", () => ({ ...good, state: "yes" })],
  ];
  function boom(): never {
    throw new Error("connection lost");
  }

  it.each(failures)(
    "C13 is refused with 503 where it %s, and asked again by the next delivery",
    async (_case, fail) => {
      let handled = 0;
      let answer: () => unknown = fail;
      const credentials = credentialsFromLookup({ key: () => answer() as never }, { clock });
      const port = await listenWith(credentials, () => handled++);
      const refused = await scene.send(port, { key, body: {} });
      expect([refused.status, refused.headers["retry-after"], refused.text]).toEqual([
        503,
        "5",
        '{"type":"about:blank","title":"Service Unavailable","status":503}',
      ]);
      expect(handled).toBe(0);
      answer = () => good;
      expect((await scene.send(port, { key, body: {} })).status).toBe(200);
      answer = async () => undefined;
      expect((await scene.send(port, { key, body: {} })).status).toBe(401);
    },
  );

  it.each(["a receiver", "requireAuth"])(
    "C13 is given up at its deadline by %s when it hangs",
    async (entrance) => {
      let asked = (): void => {};
      let hang = true;
      const credentials = credentialsFromLookup(
        {
          key: () => {
            asked();
            return hang ? new Promise<never>(() => {}) : good;
          },
        },
        { clock, timeout: "1500ms" },
      );
      const guard = requireAuth({ accept: ["service-key"], credentials, clock, logger: scene.logger });
      const port =
        entrance === "a receiver"
          ? await listenWith(credentials)
          : await scene.listen((req, res) => guard(req, res, () => res.end()));
      const wasAsked = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const pending = scene.send(port, { key, body: {} });
      await wasAsked;
      clock.advance("1499ms");
      expect(clock.pending).toBe(1);
      clock.advance("1ms");
      expect((await pending).status).toBe(503);
      expect(clock.pending).toBe(0);
      hang = false;
      expect((await scene.send(port, { key, body: {} })).status).toBe(200);
    },
  );
});

it("I01 shows no key in log and answers", () => {
  expect(clock.now()).toBeGreaterThan(start);
  expect(scene.takeLog().length).toBeGreaterThan(50);
  expect(scene.leaks()).toEqual([]);
});
