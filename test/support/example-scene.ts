import type { Express } from "express";
import type { Source } from "hookgate";
import {
  type EventToSend,
  type SignedDeliveryOptions,
  signedDelivery,
  type TestAnswer,
} from "hookgate/testing";
import { createInboxScene, type InboxScene } from "./inbox-scene.js";
import { createScene, type Scene } from "./scene.js";

/** What a test does with a receiver. */
interface Running {
  start(): Promise<void>;
  close(options: { readonly grace: "0ms" }): Promise<void>;
}

type Signing = SignedDeliveryOptions & {
  /** A byte is added to the body behind the signature. */
  readonly forged?: true;
};

/** An example that is running, as its senders reach it. */
export interface RunningExample {
  /** Signs as the source's sender would, and sends over a socket. */
  deliver<EventMap>(source: Source<EventMap>, event: EventToSend, signing?: Signing): Promise<TestAnswer>;
  /** Sends what was signed elsewhere. */
  send(delivery: object): Promise<TestAnswer>;
}

/** Runs examples in one test; `end` stops them. */
export interface ExampleScene extends Pick<Scene, "secret">, Pick<InboxScene, "engine" | "file"> {
  /** What examples said. */
  readonly lines: string[];
  readonly say: (line: string) => void;
  run(
    example: { readonly app: Express } & (
      | { readonly receiver: Running }
      | { readonly receivers: readonly Running[] }
    ),
    path: string,
  ): Promise<RunningExample>;
  end(): Promise<void>;
}

export function createExampleScene(): ExampleScene {
  const scene = createScene();
  const files = createInboxScene();
  const running: Running[] = [];
  const lines: string[] = [];
  return {
    secret: scene.secret,
    engine: files.engine,
    file: files.file,
    lines,
    say: (line) => void lines.push(line),
    async run({ app, ...rest }, path) {
      const receivers = "receiver" in rest ? [rest.receiver] : rest.receivers;
      running.push(...receivers);
      await Promise.all(receivers.map((receiver) => receiver.start()));
      const port = await scene.listen(app);
      return {
        async deliver(source, event, { forged, ...signing } = {}) {
          const delivery = await signedDelivery(source, event, { path, ...signing });
          const body = forged ? Buffer.concat([delivery.body, Buffer.from(" ")]) : delivery.body;
          return scene.send(port, { ...delivery, body });
        },
        send: (delivery) => scene.send(port, { path, ...delivery }),
      };
    },
    async end() {
      await Promise.all(running.map((receiver) => receiver.close({ grace: "0ms" })));
      await scene.close();
      await files.end();
    },
  };
}
