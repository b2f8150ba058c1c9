/** Checks of the user's own that never answer: no delivery may wait for them for ever, nor hold its place. */
import { connect } from "node:net";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { customSource } from "hookgate/custom";
import { createFakeClock } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);

const body = JSON.stringify({ type: "a", id: "1" });
const never = (): Promise<never> => new Promise(() => {});

/** Waits for a condition; fails after ten seconds. */
async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A standard schema whose answer is `answer`'s. */
const schemaOf = (answer: () => unknown) => ({
  "~standard": { version: 1 as const, vendor: "test", validate: answer as () => Promise<{ value: unknown }> },
});

const checks = [
  {
    name: "verify",
    code: "ERR_CREDENTIALS_UNAVAILABLE",
    status: 503,
    reason: "the signature check gave no answer within 2000 ms",
    options: (answer: () => unknown) => ({
      source: customSource({
        name: "own",
        signature: { verify: answer as () => Promise<{ keyId: string }> },
        type: "type",
        id: "id",
      }),
    }),
    good: async () => ({ keyId: "k" }),
  },
  {
    name: "an async schema",
    code: "ERR_INTERNAL",
    status: 500,
    reason: 'the schema of "a" gave no answer within 2000 ms',
    options: (answer: () => unknown) => ({
      events: { a: schemaOf(answer) },
      auth: { dangerouslyAcceptAnyone: true as const },
    }),
    good: async () => ({ value: {} }),
  },
];

describe.each(checks)("$name that never answers", ({ code, status, reason, options, good }) => {
  describe.each(mounts)("on %s", (_name, mount) => {
    function serve() {
      const clock = createFakeClock();
      let answer: () => unknown = never;
      let asked = 0;
      const receiver = createReceiver({
        name: "orders",
        ...options(() => {
          asked++;
          return answer();
        }),
        maxConcurrent: 3,
        ...{ clock, logger: scene.logger, hooks: scene.hooks },
      } as Parameters<typeof createReceiver>[0]);
      receiver.onAny(() => undefined);
      return {
        ...{ clock, receiver, app: mount(receiver.middleware()), asked: () => asked },
        answerFrom: (next: () => unknown) => {
          answer = next;
        },
      };
    }

    it("C13 G05 ends at a deadline, and gives its places back", async () => {
      const { clock, receiver, app, asked, answerFrom } = serve();
      const port = await scene.listen(app);
      scene.takeLog();
      const stuck = [1, 2, 3].map(() => scene.send(port, { body }));
      await until(() => asked() === 3);
      expect((await scene.send(port, { body })).status).toBe(503);
      clock.advance("2s");
      const answers = await Promise.all(stuck);
      expect(answers.map((answer) => answer.status)).toEqual([status, status, status]);
      expect(scene.takeLog()).toContainEqual(`refused ${code} ${reason}`);
      answerFrom(good);
      expect((await scene.send(port, { body })).status).toBe(200);
      await receiver.close();
    });

    it("G06 gives its places back when the senders leave", async () => {
      const { receiver, app, asked, answerFrom } = serve();
      const port = await scene.listen(app);
      const stuck = [1, 2, 3].map(() => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        const length = `Content-Length: ${body.length}`;
        socket.write(postHead("Content-Type: application/json", length) + body);
        return socket;
      });
      await until(() => asked() === 3);
      scene.takeLog();
      for (const socket of stuck) socket.destroy();
      answerFrom(good);
      await until(() => scene.takeLog().some((line) => line.startsWith("refused ERR_BODY_ABORTED")));
      const again = async (): Promise<number> => (await scene.send(port, { body })).status;
      let last = await again();
      while (last === 503) last = await again();
      expect(last).toBe(200);
      // Waits for every place.
      await receiver.close();
    });
  });
});

it("takes no notice of an answer that comes after the deadline", async () => {
  const clock = createFakeClock();
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const handled: string[] = [];
  const receiver = createReceiver({
    name: "orders",
    source: customSource({
      name: "own",
      signature: {
        verify: () =>
          new Promise<{ keyId: string }>((resolve, reject) => {
            waiting.push({ resolve: resolve as (value: unknown) => void, reject });
          }),
      },
      type: "type",
      id: "id",
    }),
    ...{ clock, logger: scene.logger, hooks: scene.hooks },
  });
  receiver.onAny((event) => void handled.push(event.id));
  const port = await scene.listen((req, res) => receiver.middleware()(req, res, () => undefined));
  const answers = [scene.send(port, { body }), scene.send(port, { body })];
  await until(() => waiting.length === 2);
  clock.advance("2s");
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([503, 503]);
  waiting[0]?.resolve({ keyId: "k" });
  waiting[1]?.reject(new Error("late"));
  await receiver.close();
  expect(handled).toEqual([]);
});
