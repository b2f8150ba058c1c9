import { it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { sendDelivery } from "hookgate/testing";

// Run by test/http/hostile-canary.test.ts: every test that leaks must fail.
const key = "a-literal-of-this-file-is-a-secret-0123";
const receiver = createReceiver({ name: "orders", auth: { serviceKey: key } });
receiver.on("good", () => {});
receiver.on("bad", () => {
  throw new Error("the default logger writes this canary");
});
const send = (type: string) => sendDelivery(receiver.requestListener("/"), { key, body: { type } });

process.stdout.write("canary, while the file is loaded\n");

it("leak: loading", () => {});
it("clean", () => send("good"));
it("leak: an error of a handler", () => send("bad"));
it("leak: a literal, on the console", () => console.warn("key is %s", key));
it("leak: bytes", () => void process.stderr.write(Buffer.from("Canary\n")));
it("leak: a token", () => console.info({ token: "eyJhbGciOiJI.eyJpc3MiOiJv.c2lnbmF0dXJl" }));
it("clean, behind the leaks", () => console.info("a line without secrets"));
