import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { createFakeClock, createTestSigner } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const clock = createFakeClock();
const signer = await createTestSigner("HS256");
const key = scene.secret("key");
const token = scene.keep(await signer.sign({ iss: "orders", exp: clock.now() / 1000 + 60 }));
let handled = 0;

function createMiddleware() {
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
    body: { types: ["json", "form"] },
    type: () => "any",
    clock,
    logger: scene.logger,
    hooks: scene.hooks,
  });
  receiver.onAny(() => {
    handled++;
  });
  return receiver.middleware();
}

/** Header lines as they go over the wire, and the status that comes back. */
type Case = readonly [name: string, lines: readonly string[], status: number];
const auth = `Authorization: Bearer ${token}`;
const cases: readonly Case[] = [
  ["B01 takes the scheme in capitals", [`Authorization: BEARER ${token}`], 200],
  ["B01 takes the scheme in small letters", [`authorization: bearer ${token}`], 200],
  ["B01 sees no JWT behind Basic", [`Authorization: Basic ${token}`], 401],
  ["B01 sees no JWT behind Digest", [`Authorization: Digest ${token}`], 401],
  ["B01 sees no JWT behind Token", [`Authorization: Token ${token}`], 401],
  ["B01 sees no JWT behind JWT", [`Authorization: JWT ${token}`], 401],
  ["B01 sees no JWT without a scheme", [`Authorization: ${token}`], 401],
  ["B01 lets the key decide beside Basic", ["Authorization: Basic dTpw", `Key: ${key}`], 200],
  ["B02 refuses two lines", [auth, auth], 400],
  ["B02 refuses two lines of which one is empty", [auth, "Authorization:"], 400],
  ["B02 refuses two lines, with a valid key", [auth, "AUTHORIZATION: Basic dTpw", `Key: ${key}`], 400],
  ["B03 refuses two tokens in one line", [`Authorization: Bearer ${token}, Bearer ${token}`], 401],
  ["B03 refuses a token with a word behind", [`Authorization: Bearer ${token} x`], 401],
  ["B03 refuses Bearer Bearer", [`Authorization: Bearer Bearer ${token}`], 401],
  ["B03 refuses quotes", [`Authorization: Bearer "${token}"`], 401],
  ["B04 refuses a tab", [`Authorization: Bearer\t${token}`], 400],
  ["B04 refuses a no-break space", [`Authorization: Bearer\u00a0${token}`], 400],
  ["B04 refuses two spaces", [`Authorization: Bearer  ${token}`], 401],
  [
    "B04 takes white space around the value, which HTTP strips",
    [`Authorization: \t Bearer ${token} \t`],
    200,
  ],
  ["B05 takes Bearer alone for a JWT that is invalid", ["Authorization: Bearer", `Key: ${key}`], 401],
  ["B05 takes Bearer and a space for one", ["Authorization: Bearer ", `Key: ${key}`], 401],
  ["B06 ignores a token in a cookie", [`Cookie: access_token=${token}; token=${token}`], 401],
  ["B07 ignores Proxy-Authorization", [`Proxy-Authorization: Bearer ${token}`], 401],
  ["B07 ignores X-Forwarded-Authorization", [`X-Forwarded-Authorization: Bearer ${token}`], 401],
  ["B08 refuses bytes outside ASCII", [`Authorization: Bearer ${token}\u00e9`, `Key: ${key}`], 400],
  ["B08 refuses DEL", [`Authorization: Bearer ${token}\x7f`], 400],
  ["B08 refuses NUL", [`Authorization: Bearer ${token}\0`], 400],
  [
    "B09 is not impressed by header names of Object.prototype",
    [`__proto__: ${key}`, `constructor: ${key}`],
    401,
  ],
  [
    "B09 takes a key beside such headers",
    ["__proto__: x", "constructor: x", "toString: x", `Key: ${key}`],
    200,
  ],
  ["B10 refuses where a proxy has taken the credential away", [], 401],
];

describe.each(mounts)("B: Authorization on %s", (_name, mount) => {
  it.each(cases)("%s", async (_case, lines, status) => {
    const wire = await scene.open(await scene.listen(mount(createMiddleware())));
    const before = handled;
    const head = postHead(...lines, "Content-Type: application/json", "Content-Length: 2");
    await wire.send(Buffer.from(`${head}{}`, "latin1"));
    expect((await wire.answers(1))[0]?.status).toBe(status);
    expect(handled - before).toBe(status === 200 ? 1 : 0);
  });

  it("B06 refuses access_token in the query, however it is spelt, beside valid credentials", async () => {
    const port = await scene.listen(mount(createMiddleware()));
    for (const query of ["access_token=", "a=1&access%5ftoken=", "%61ccess_token="]) {
      const answer = await scene.send(port, { path: `/hooks?${query}${token}`, token, key, body: {} });
      expect([answer.status, answer.json()]).toMatchObject([400, { code: "ERR_CREDENTIAL_IN_QUERY" }]);
    }
    for (const query of ["key=", "a&KEY=", "%6bey="]) {
      for (const more of [{}, { key }, { token }]) {
        const answer = await scene.send(port, { path: `/hooks?${query}${key}`, body: {}, ...more });
        expect([answer.status, answer.json()]).toMatchObject([400, { code: "ERR_CREDENTIAL_IN_QUERY" }]);
      }
    }
  });

  it("B06 refuses access_token in a form", async () => {
    const port = await scene.listen(mount(createMiddleware()));
    const form = { contentType: "application/x-www-form-urlencoded" };
    const body = `a=1&access%5Ftoken=${token}`;
    expect((await scene.send(port, { ...form, key, body })).status).toBe(400);
    expect((await scene.send(port, { ...form, body })).status).toBe(401);
    expect((await scene.send(port, { ...form, key, body: "a=1" })).status).toBe(200);
  });
});

it("B10 holds over HTTP/2 as well: no credential, no entry", async () => {
  const middleware = createMiddleware();
  const server = createHttp2Server((req, res) => middleware(req as never, res as never, () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  const post = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/hooks",
        "content-type": "application/json",
        ...headers,
      });
      stream.on("response", (answer) => resolve(Number(answer[":status"])));
      stream.on("error", reject);
      stream.resume();
      stream.end("{}");
    });
  try {
    expect([
      await post({}),
      await post({ key }),
      await post({ authorization: `Bearer ${token}` }),
      await post({ authorization: "Bearer x", key }),
      await post({ key: `${key}x` }),
    ]).toEqual([401, 200, 200, 401, 401]);
  } finally {
    session.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

it("I01 shows no token or key in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(cases.length);
  expect(scene.leaks()).toEqual([]);
});
