/** A process that exits soon after its receiver was started: told how by HOOKGATE_EXIT. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { sqliteEngine } from "../../src/inbox/sqlite/index.js";
import { createReceiver } from "../../src/index.js";
import { serviceKey } from "./options.js";

const { db, how } = JSON.parse(process.env.HOOKGATE_EXIT ?? "{}") as {
  readonly db: string;
  readonly how: "port taken" | "throw" | "throw while starting" | "exit";
};

const receiver = createReceiver({
  name: "exit",
  auth: { serviceKey },
  inbox: { engine: sqliteEngine(db) },
});
receiver.on("load", () => {});

function fail(): never {
  throw new Error("as it was told to");
}

const taken = createServer();
await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));

const started = receiver.start();
if (how === "throw while starting") setTimeout(fail, 40 * Math.random());
await started;
if (how === "throw") fail();
if (how === "exit") process.exit(1);
if (how === "port taken") {
  createServer(receiver.requestListener("/")).listen((taken.address() as AddressInfo).port, "127.0.0.1");
}
