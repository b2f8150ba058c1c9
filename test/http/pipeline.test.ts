/** One list of checks for live requests and for `explain`: what one says, the other does. */
import { createHook } from "node:async_hooks";
import { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { createReceiver, type ExplainRequest } from "hookgate";
import type { Source } from "hookgate/custom";
import { memoryEngine, sendDelivery } from "hookgate/testing";
import { webexConnectOutbound } from "hookgate/webex-connect-outbound";
import { checks } from "../../src/receiver/pipeline.js";
import { createReceiverWith } from "../../src/receiver/receiver.js";
import { quiet } from "../support/quiet.js";

const key = "a-key-of-at-least-32-characters-0123";
const listed = "203.0.113.7";
const elsewhere = "192.0.2.1";

/** What is decided on a request: the status, and the code where it was refused. */
type Decision = readonly [status: number, code: string | undefined];

describe("a receiver with an allowlist and a source that answers HEAD", () => {
  const receiver = createReceiver({
    name: "receipts",
    source: webexConnectOutbound({ secret: "a-secret-of-at-least-32-characters-0123" }),
    allowIps: ["203.0.113.0/24"],
    logger: quiet,
  });
  const listener = receiver.requestListener("/");

  it.each(["HEAD", "GET", "OPTIONS", "PUT"])(
    "refuses %s from elsewhere with 403, and explain says so",
    async (method) => {
      const { status } = await sendDelivery(listener, { method }, { remoteAddress: elsewhere });
      const explained = await receiver.explain({ method, remoteAddress: elsewhere });
      expect(status).toBe(403);
      expect([explained.status, explained.code]).toEqual([403, "ERR_ADDRESS_REFUSED"]);
    },
  );

  it.each([
    ["HEAD", 200, undefined],
    ["GET", 405, "ERR_METHOD"],
    ["OPTIONS", 204, undefined],
    ["PUT", 405, "ERR_METHOD"],
  ])("answers %s from the list with %i, and explain says so", async (method, status, code) => {
    const answer = await sendDelivery(listener, { method }, { remoteAddress: listed });
    const explained = await receiver.explain({ method, remoteAddress: listed });
    expect(answer.status).toBe(status);
    expect([explained.status, explained.code]).toEqual([status, code]);
  });
});

/** A source that answers these methods, and POST bodies that hold a challenge. */
function hub(answered: readonly string[]): Source {
  return {
    name: "hub",
    bodies: ["json"],
    headers: [],
    deadline: "10s",
    events: ({ body }) => [{ type: "order.paid", id: "e1", data: body }],
    handshake({ method, body }) {
      const isChallenge = typeof body === "object" && body !== null && "challenge" in body;
      return answered.includes(method) || isChallenge ? { status: 200, body: "hello" } : undefined;
    },
  };
}

interface Situation {
  /** Methods that the source answers; left out: it has no handshake. */
  readonly source?: readonly string[];
  readonly method: string;
  readonly challenge?: true;
  readonly elsewhere?: true;
  /** As many deliveries as are allowed are in progress. */
  readonly overload?: true;
  /** As many failures as are allowed came within the minute, and this is another one. */
  readonly failures?: true;
}

/** What `explain` and a live request decide on the same request. */
async function decide(
  situation: Situation,
  order = checks,
): Promise<{ live: Decision; explained: Decision }> {
  const { source, method, challenge, overload, failures } = situation;
  const codes: string[] = [];
  let release = (): void => {};
  const receiver = createReceiverWith(
    {
      name: "orders",
      ...(source === undefined ? {} : { source: hub(source) }),
      auth: { serviceKey: key },
      allowIps: ["203.0.113.0/24"],
      maxConcurrent: 1,
      maxFailuresPerMinute: 1,
      logger: quiet,
      hooks: { refused: ({ code }) => void codes.push(code) },
    },
    order,
  );
  const handling = new Promise<void>((started) => {
    receiver.onAny(() => {
      started();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
  });
  const listener = receiver.requestListener("/");
  const body = challenge === true ? { challenge: "x" } : { type: "order.paid", id: "e1" };
  if (failures === true) {
    await sendDelivery(listener, { key: "wrong", body }, { remoteAddress: listed });
  }
  const pending =
    overload === true
      ? sendDelivery(listener, { key, body: { type: "order.paid" } }, { remoteAddress: listed })
      : undefined;
  if (pending !== undefined) await handling;
  codes.length = 0;
  const headers = { key: failures === true ? "wrong" : key, "content-type": "application/json" };
  const remoteAddress = situation.elsewhere === true ? elsewhere : listed;
  const request: ExplainRequest = { method, headers, remoteAddress, body };
  const { status, code } = await receiver.explain(request);
  const before = codes.length;
  const sent = sendDelivery(listener, { method, headers, body }, { remoteAddress });
  if (overload !== true && method === "POST") void handling.then(() => release());
  const answer = await sent;
  release();
  await pending;
  expect(before).toBe(0);
  return { live: [answer.status, codes[0]], explained: [status, code] };
}

const kinds = ["HEAD", "GET", "challenge", "allowlist", "OPTIONS", "405", "overload", "failures"] as const;
type Kind = (typeof kinds)[number];

const ok: Decision = [200, undefined];
const options: Decision = [204, undefined];
const method: Decision = [405, "ERR_METHOD"];
const address: Decision = [403, "ERR_ADDRESS_REFUSED"];
const overload: Decision = [503, "ERR_OVERLOADED"];
const limit: Decision = [429, "ERR_TOO_MANY_FAILURES"];
const wrongKey: Decision = [401, "ERR_KEY_INVALID"];

/** Which of the two wins. `explained` is named where load or earlier failures decide: `explain` does not look at them. */
const pairs: readonly (readonly [readonly [Kind, Kind], Situation, Decision, Decision?])[] = [
  [["HEAD", "allowlist"], { source: ["HEAD"], method: "HEAD", elsewhere: true }, address],
  [["HEAD", "OPTIONS"], { source: ["HEAD", "OPTIONS"], method: "OPTIONS" }, ok],
  [["HEAD", "OPTIONS"], { source: ["HEAD"], method: "OPTIONS" }, options],
  [["HEAD", "405"], { source: ["HEAD", "PUT"], method: "PUT" }, ok],
  [["HEAD", "405"], { source: ["HEAD"], method: "PUT" }, method],
  [["HEAD", "overload"], { source: ["HEAD"], method: "HEAD", overload: true }, ok],
  [["HEAD", "failures"], { source: ["HEAD"], method: "HEAD", failures: true }, ok],
  [["GET", "allowlist"], { source: ["GET"], method: "GET", elsewhere: true }, address],
  [["GET", "OPTIONS"], { source: ["GET", "OPTIONS"], method: "OPTIONS" }, ok],
  [["GET", "OPTIONS"], { source: ["GET"], method: "OPTIONS" }, options],
  [["GET", "405"], { source: ["GET", "DELETE"], method: "DELETE" }, ok],
  [["GET", "405"], { source: ["GET"], method: "DELETE" }, method],
  [["GET", "overload"], { source: ["GET"], method: "GET", overload: true }, ok],
  [["GET", "failures"], { source: ["GET"], method: "GET", failures: true }, ok],
  [["challenge", "allowlist"], { source: [], method: "POST", challenge: true, elsewhere: true }, address],
  [["challenge", "OPTIONS"], { source: [], method: "OPTIONS", challenge: true }, options],
  [["challenge", "405"], { source: [], method: "PUT", challenge: true }, method],
  [["challenge", "overload"], { source: [], method: "POST", challenge: true, overload: true }, overload, ok],
  [
    ["challenge", "failures"],
    { source: [], method: "POST", challenge: true, failures: true },
    limit,
    wrongKey,
  ],
  [["allowlist", "OPTIONS"], { method: "OPTIONS", elsewhere: true }, options],
  [["allowlist", "OPTIONS"], { source: ["HEAD"], method: "OPTIONS", elsewhere: true }, address],
  [["allowlist", "405"], { method: "PUT", elsewhere: true }, method],
  [["allowlist", "405"], { source: ["HEAD"], method: "PUT", elsewhere: true }, address],
  [["allowlist", "overload"], { method: "POST", elsewhere: true, overload: true }, address],
  [["allowlist", "failures"], { method: "POST", elsewhere: true, failures: true }, address],
  // One request has one method: OPTIONS is never the wrong one.
  [["OPTIONS", "405"], { method: "OPTIONS" }, options],
  [["OPTIONS", "overload"], { method: "OPTIONS", overload: true }, options],
  [["OPTIONS", "failures"], { method: "OPTIONS", failures: true }, options],
  [["405", "overload"], { method: "PUT", overload: true }, method],
  [["405", "failures"], { method: "PUT", failures: true }, method],
  [["overload", "failures"], { method: "POST", overload: true, failures: true }, overload, wrongKey],
];

describe("of two reasons to end a request", () => {
  it.each(pairs)("%j, as %j: %j wins", async (_pair, situation, live, explained = live) => {
    expect(await decide(situation)).toEqual({ live, explained });
  });

  it("has every pair in the table", () => {
    const wanted = kinds.flatMap((first, at) =>
      // Three handshakes: a request has one of them.
      kinds.slice(Math.max(at + 1, 3)).map((second) => `${first} ${second}`),
    );
    expect([...new Set(pairs.map(([pair]) => pair.join(" ")))].sort()).toEqual(wanted.sort());
  });

  it("says in the steps what explain does not look at", async () => {
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      maxFailuresPerMinute: 1,
      logger: quiet,
    });
    const headers = { key: "wrong", "content-type": "application/json" };
    const { steps } = await receiver.explain({ headers, body: {} });
    const detailOf = (name: string) => steps.find(({ step }) => step === name)?.detail;
    expect(detailOf("capacity")).toContain("a live request may be answered 503");
    expect(detailOf("credential")).toContain("429");
    expect(detailOf("body hash")).toBe("an earlier check refused the request");
  });
});

describe("the order of the checks", () => {
  const isLive = (name: string) => checks.find((check) => check.name === name)?.live === true;
  const situations: readonly Situation[] = [
    { method: "POST", elsewhere: true },
    { method: "PUT", elsewhere: true, failures: true },
    { method: "OPTIONS", elsewhere: true },
    { source: ["HEAD"], method: "HEAD", elsewhere: true },
    { source: [], method: "POST", challenge: true },
    { method: "POST" },
  ];

  it("is what both follow: another one changes both alike", async () => {
    const [first, second, ...rest] = checks;
    const swapped = [second, first, ...rest] as typeof checks;
    const situation: Situation = { method: "OPTIONS", elsewhere: true };
    expect(await decide(situation)).toEqual({ live: options, explained: options });
    expect(await decide(situation, swapped)).toEqual({ live: address, explained: address });
  });

  it.each(["credential", "content type", "body", "parse"])(
    "refuses every delivery if the list lacks the check %s, and explain says so",
    async (name) => {
      const without = checks.filter((check) => check.name !== name);
      const broken: Decision = [500, "ERR_INTERNAL"];
      expect(await decide({ method: "POST" }, without)).toEqual({ live: broken, explained: broken });
    },
  );

  it("may be any: both follow it, and a check that reads what is not there yet refuses", async () => {
    // A small generator of numbers, so that a failure can be repeated.
    let seed = 20_261_124;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const seen = new Set<string>();
    for (let round = 0; round < 60; round++) {
      // Places are taken where they are, so that the counts stay right.
      const movable = checks.flatMap((check, at) =>
        isLive(check.name) || check.name === "body" ? [] : [at],
      );
      const order = [...checks];
      // A few neighbours change places, or any two: most lists that are wholly mixed end in one way.
      for (let swaps = 0; swaps < 4; swaps++) {
        const from = random(movable.length - 1);
        const to = round % 2 === 0 ? from + 1 : random(movable.length);
        const [a, b] = [movable[from] as number, movable[to] as number];
        [order[a], order[b]] = [order[b] as (typeof checks)[0], order[a] as (typeof checks)[0]];
      }
      for (const situation of situations) {
        const { live, explained } = await decide({ ...situation }, order);
        expect([order.map(({ name }) => name), explained]).toEqual([
          order.map(({ name }) => name),
          live.slice(0, 2),
        ]);
        seen.add(`${live}`);
      }
    }
    // It would prove nothing if all of them ended alike.
    expect([...seen]).toEqual(
      expect.arrayContaining([options, method, address, ok, [500, "ERR_INTERNAL"]].map(String)),
    );
  });
});

/**
 * Hands a POST to a listener without a socket, and gives the stacks of the promises that our code makes until `ended` is
 * called.
 */
async function promisesOf(deliver: (req: IncomingMessage, ended: () => void) => void): Promise<string[]> {
  const body = Buffer.from(JSON.stringify({ type: "order.paid", id: "e1" }));
  const req = new IncomingMessage({ remoteAddress: listed } as Socket);
  const head = ["content-type", "application/json", "content-length", String(body.length), "key", key];
  Object.assign(req, { method: "POST", url: "/", complete: true, rawHeaders: head });
  for (let i = 0; i < head.length; i += 2) req.headers[head[i] as string] = head[i + 1];
  req.push(body);
  req.push(null);
  const made: string[] = [];
  const hook = createHook({
    init(_id, type) {
      const stack = type === "PROMISE" ? (new Error("made here").stack ?? "") : "";
      if (/[/\\]src[/\\]/.test(stack)) made.push(stack);
    },
  });
  await new Promise<void>((resolve) => {
    hook.enable();
    deliver(req, () => {
      hook.disable();
      resolve();
    });
  });
  return made;
}

/** Calls `ended` when the answer is there. */
function answerTo(req: IncomingMessage, ended: () => void): ServerResponse {
  const res = new ServerResponse(req);
  const end = res.end.bind(res);
  return Object.assign(res, {
    end(text: string) {
      ended();
      return end(text);
    },
  });
}

describe("a delivery whose checks answer immediately", () => {
  const schema = (validate: (value: unknown) => { value: unknown } | Promise<{ value: unknown }>) => ({
    "~standard": { version: 1 as const, vendor: "test", validate },
  });
  const common = {
    name: "orders",
    events: { "order.paid": schema((value) => ({ value })) },
    auth: { serviceKey: key },
    allowIps: ["203.0.113.0/24"],
    logger: quiet,
  };

  it("takes no promise from the request to its answer, with a synchronous handler", async () => {
    const receiver = createReceiver(common);
    const handled: string[] = [];
    receiver.on("order.paid", ({ id }) => void handled.push(id));
    const listener = receiver.requestListener("/");
    expect(await promisesOf((req, ended) => listener(req, answerTo(req, ended)))).toEqual([]);
    expect(handled).toEqual(["e1"]);
  });

  it("takes no promise from the request to the inbox's store", async () => {
    let ended = (): void => {};
    const engine = Object.assign(memoryEngine(), {
      accept: () => {
        ended();
        return new Promise<never>(() => {});
      },
    });
    const receiver = createReceiver({ ...common, inbox: { engine, acceptTimeout: "100ms", workers: false } });
    receiver.on("order.paid", () => {});
    await receiver.start();
    const listener = receiver.requestListener("/");
    const made = await promisesOf((req, stop) => {
      ended = stop;
      listener(req, new ServerResponse(req));
    });
    // The store makes its own: one for each batch.
    expect(made.filter((stack) => !/[/\\]src[/\\]inbox[/\\]/.test(stack))).toEqual([]);
    await receiver.close({ grace: "0ms" });
  });

  it("would be caught taking one", async () => {
    const receiver = createReceiver({
      ...common,
      events: { "order.paid": schema(async (value) => ({ value })) },
    });
    receiver.on("order.paid", () => {});
    const listener = receiver.requestListener("/");
    const made = await promisesOf((req, ended) => listener(req, answerTo(req, ended)));
    expect(made.length).toBeGreaterThan(0);
  });
});
