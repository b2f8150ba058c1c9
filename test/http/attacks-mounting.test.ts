import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, it } from "@jest/globals";
import express5, { type Express, type Request, type RequestHandler, type Response } from "express";
import express4 from "express4";
import { createReceiver, type ReceiverOptions, requireAllowedIp, requireAuth } from "hookgate";
import { createTestSigner } from "hookgate/testing";
import { createScene } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const body = { type: "any", note: scene.secret("body") };
const signer = await createTestSigner("HS256");
const token = scene.keep(await signer.sign({ iss: "orders", exp: Math.floor(Date.now() / 1000) + 600 }));

function createTarget(options: Partial<ReceiverOptions> = {}) {
  const bodies: string[] = [];
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
    logger: scene.logger,
    hooks: scene.hooks,
    ...options,
  });
  receiver.onAny((_event, { delivery }) => bodies.push(delivery.rawBody.toString()));
  return { bodies, receiver, middleware: receiver.middleware() };
}

/** Remembers that it was asked, and answers 599. */
function createErrorHandler() {
  const errors: unknown[] = [];
  const handler = (error: unknown, _req: Request, res: Response, _next: () => void): void => {
    errors.push(error);
    res.status(599).end();
  };
  return { errors, handler };
}

describe.each([
  ["Express 4", express4 as unknown as typeof express5],
  ["Express 5", express5],
])("mounting mistakes on %s", (name, express) => {
  const text = JSON.stringify(body);
  const keep = (req: unknown, _res: unknown, bytes: Buffer): void => {
    Object.assign(req as object, { rawBody: bytes });
  };
  async function behind(
    ahead: RequestHandler | readonly RequestHandler[],
    options: Partial<ReceiverOptions> = {},
    delivery: object = {},
  ) {
    const { bodies, middleware } = createTarget(options);
    const app: Express = express();
    app.use(...([ahead].flat() as RequestHandler[]));
    app.all("/hooks", middleware);
    scene.takeLog();
    const answer = await scene.send(await scene.listen(app), { key, body, ...delivery });
    return { status: answer.status, answer, bodies, log: scene.takeLog().join("\n") };
  }

  it("works under app.use, nested routers and a path with parameters", async () => {
    const { bodies, middleware } = createTarget();
    const app = express();
    const inner = express.Router();
    const outer = express.Router();
    inner.all("/hooks", middleware);
    outer.use("/v1", inner);
    app.use("/api", outer);
    app.use("/used", middleware);
    app.all("/:tenant/hooks", middleware);
    const port = await scene.listen(app);
    for (const path of ["/api/v1/hooks", "/used", "/used/deeper?a=b", "/acme/hooks"]) {
      expect([path, (await scene.send(port, { path, key, body })).status]).toEqual([path, 200]);
      expect([path, (await scene.send(port, { path, body })).status]).toEqual([path, 401]);
      expect([path, (await scene.send(port, { path, method: "GET", key })).status]).toEqual([path, 405]);
      const inQuery = { path: `${path.split("?")[0]}?access_token=x`, key, body };
      expect([path, (await scene.send(port, inQuery)).status]).toEqual([path, 400]);
    }
    expect(bodies).toHaveLength(4);
  });

  it("takes a receiver whose middleware was mounted without its call", async () => {
    const { bodies, receiver } = createTarget();
    const app: Express = express();
    app.all("/hooks", receiver.middleware);
    const url = await scene.listen(app);
    expect((await scene.send(url, { key, body })).status).toBe(200);
    expect((await scene.send(url, { key: "wrong", body })).status).toBe(401);
    expect(bodies).toEqual([text]);
  });

  it.each([
    ["requireAuth", requireAuth, "app.use(requireAuth({ accept, credentials }))"],
    ["requireAllowedIp", requireAllowedIp, 'app.use(requireAllowedIp(["203.0.113.0/24"]))'],
  ])(
    "refuses every request, and says what to do, where %s was mounted without its call",
    async (called, guard, fix) => {
      const app: Express = express();
      const { errors, handler } = createErrorHandler();
      app.use(guard as unknown as RequestHandler);
      app.all("/hooks", (_req, res) => void res.end());
      app.use(handler);
      expect((await scene.send(await scene.listen(app), { key, body })).status).toBe(599);
      expect(String(errors[0])).toContain(`${called} was mounted itself`);
      expect(String(errors[0])).toContain(fix);
    },
  );

  it("works under app.post, which leaves other methods to Express", async () => {
    const { middleware } = createTarget();
    const app = express();
    app.post("/hooks", middleware);
    const port = await scene.listen(app);
    expect((await scene.send(port, { key, body })).status).toBe(200);
    expect((await scene.send(port, { method: "GET", key })).status).toBe(404);
  });

  it("E24 explains to the operator that a parser ahead took the body, and never waits for it", async () => {
    const all = { type: "*/*" };
    const parsers: readonly (readonly [string, RequestHandler])[] = [
      ["json", express.json()],
      ["json that keeps", express.json({ verify: keep })],
      ["text", express.text(all)],
      ["raw", express.raw(all)],
      ["urlencoded", express.urlencoded({ ...all, extended: false })],
    ];
    for (const [kind, parser] of parsers) {
      const { status, answer, bodies, log } = await behind(parser);
      expect([kind, status, answer.text]).toEqual([
        kind,
        500,
        '{"type":"about:blank","title":"Internal Server Error","status":500}',
      ]);
      expect(bodies).toEqual([]);
      expect(log).toContain("Mount the receiver before express.json()");
    }
  });

  it("E24 still refuses wrong credentials first, and says nothing of the mistake to them", async () => {
    expect((await behind(express.json(), {}, { key: "wrong" })).status).toBe(401);
  });

  it("E24 takes the bytes that a parser ahead kept, where they are declared", async () => {
    const kept = await behind(express.json({ verify: keep }), { body: { rawBodyFrom: "rawBody" } });
    expect([kept.status, kept.bodies]).toEqual([200, [text]]);
    const raw = await behind(express.raw({ type: "*/*" }), { body: { rawBodyFrom: "body" } });
    expect([raw.status, raw.bodies]).toEqual([200, [text]]);
    const large = await behind(express.raw({ type: "*/*" }), { body: { rawBodyFrom: "body", maxBytes: 10 } });
    expect([large.status, large.bodies]).toEqual([413, []]);
    const parsed = await behind(express.json(), { body: { rawBodyFrom: "body" } });
    expect([parsed.status, parsed.bodies]).toEqual([500, []]);
  });

  it("E24 needs nothing declared where the parser ahead passes the body over", async () => {
    const form = { contentType: "application/x-www-form-urlencoded", body: "type=any" };
    const { status, bodies } = await behind(express.json(), { body: { types: ["form"] } }, form);
    expect([status, bodies]).toEqual([200, ["type=any"]]);
  });

  it("reads the body behind middleware that waits", async () => {
    const waits: RequestHandler = async (_req, _res, next) => {
      for (let count = 0; count < 20; count++) await turn();
      next();
    };
    const { status, bodies } = await behind(waits);
    expect([status, bodies]).toEqual([200, [text]]);
  });

  it("finds that middleware ahead listened to the body and then waited", async () => {
    const eats: RequestHandler = (req, _res, next) => {
      req.on("data", () => {});
      req.on("end", () => next());
    };
    expect((await behind(eats)).status).toBe(500);
    const encodes: RequestHandler = (req, _res, next) => {
      req.setEncoding("utf8");
      next();
    };
    const { status, log } = await behind(encodes);
    expect(status).toBe(500);
    expect(log).toContain("setEncoding");
  });

  it("shares the body with a listener that was put up right before", async () => {
    let seen = 0;
    const listens: RequestHandler = (req, _res, next) => {
      req.on("data", (chunk: Buffer) => {
        seen += chunk.length;
      });
      next();
    };
    const { status, bodies } = await behind(listens);
    expect([status, bodies, seen]).toEqual([200, [text], text.length]);
  });

  it("answers through wrapped responses, as compression and logging wrap them, and keeps headers set before", async () => {
    const ended: number[] = [];
    const wraps: RequestHandler = (_req, res, next) => {
      res.setHeader("X-Frame-Options", "DENY");
      const { writeHead, end } = res;
      res.writeHead = function wrapped(this: Response, ...args: unknown[]) {
        res.setHeader("X-Wrapped", "yes");
        return Reflect.apply(writeHead, this, args);
      } as typeof res.writeHead;
      res.end = function wrapped(this: Response, ...args: unknown[]) {
        ended.push(res.statusCode);
        return Reflect.apply(end, this, args);
      } as typeof res.end;
      next();
    };
    const passed = await behind(wraps);
    expect([passed.status, passed.answer.headers]).toMatchObject([
      200,
      { "x-frame-options": "DENY", "x-wrapped": "yes", "content-type": "application/json" },
    ]);
    expect((await behind(wraps, {}, { key: "wrong" })).answer.headers).toMatchObject({
      "x-wrapped": "yes",
      "content-type": "application/problem+json",
    });
    expect(ended).toEqual([200, 401]);
  });

  it("leaves alone a response that somebody has answered already", async () => {
    const answers: RequestHandler = (_req, res, next) => {
      res.status(418).end("teapot");
      next();
    };
    const { answer } = await behind(answers);
    expect([answer.status, answer.text]).toEqual([418, "teapot"]);
  });

  it("keeps a handler's failure from Express's error handler", async () => {
    const { errors, handler } = createErrorHandler();
    const { receiver, middleware } = createTarget();
    receiver.on("bad", async () => {
      throw new Error("own words");
    });
    const app = express();
    app.all("/hooks", middleware);
    app.use(handler);
    const port = await scene.listen(app);
    const answer = await scene.send(port, { key, body: { ...body, type: "bad" } });
    expect([answer.status, errors]).toEqual([500, []]);
  });

  it("hands what a route behind a guard throws to Express, once", async () => {
    const { errors, handler } = createErrorHandler();
    const app = express();
    const options = { logger: scene.logger, hooks: scene.hooks };
    const jwt = { issuer: "orders", ...signer.verification };
    const guard = requireAuth({ serviceKey: key, jwt, ...options });
    const failure = new Error("route");
    app.use(requireAllowedIp(["127.0.0.1"], options), guard);
    app.post("/throws", () => {
      throw failure;
    });
    app.post("/rejects", async () => {
      throw failure;
    });
    app.post("/fine", (req, res) => {
      res.json(req.caller);
    });
    app.use(handler);
    const port = await scene.listen(app);
    // By key the guard answers in the same turn, by token later.
    for (const credential of [{ key }, { token }]) {
      const fine = await scene.send(port, { path: "/fine", body, ...credential });
      expect(fine.json()).toMatchObject({ service: "requireAuth", tenant: expect.any(String) });
      expect((await scene.send(port, { path: "/throws", body, ...credential })).status).toBe(599);
      expect(errors.splice(0)).toEqual([failure]);
      // Express 4 does not see promises; a route that rejects is the user's own to catch there.
      if (name === "Express 4") continue;
      expect((await scene.send(port, { path: "/rejects", body, ...credential })).status).toBe(599);
      expect(errors.splice(0)).toEqual([failure]);
    }
    expect((await scene.send(port, { path: "/throws", body })).status).toBe(401);
    expect(errors).toEqual([]);
  });

  it("lets guards on one path add up, and a receiver stand behind them", async () => {
    const { bodies, middleware } = createTarget();
    const other = scene.secret("other");
    const guard = requireAuth({
      serviceKey: { header: "x-other", keys: [{ id: "k", key: other }] },
      logger: scene.logger,
    });
    const app = express();
    app.all("/hooks", guard, middleware);
    const port = await scene.listen(app);
    const headers = { "x-other": other };
    expect((await scene.send(port, { key, body, headers })).status).toBe(200);
    expect((await scene.send(port, { key, body })).status).toBe(401);
    expect((await scene.send(port, { body, headers })).status).toBe(401);
    expect(bodies).toEqual([text]);
  });

  it("keeps receivers on one app apart", async () => {
    const first = createTarget();
    const second = createTarget({ auth: { serviceKey: scene.secret("second") } });
    const app = express();
    app.all("/first", first.middleware);
    app.all("/second", second.middleware);
    const port = await scene.listen(app);
    const status = async (path: string) => (await scene.send(port, { path, key, body })).status;
    expect([await status("/first"), await status("/second")]).toEqual([200, 401]);
    await first.receiver.close();
    expect([await status("/first"), await status("/second")]).toEqual([503, 401]);
  });
});

it("I01 shows no key, token and nothing of a body in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
