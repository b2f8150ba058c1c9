import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import express from "express";
import express4 from "express4";
import { createReceiver } from "hookgate";
import { z } from "zod";
import { main } from "../../../src/cli/run.js";
import { quiet } from "../../support/quiet.js";

const key = "service-key-of-at-least-32-characters";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function make() {
  const receiver = createReceiver({
    name: "orders",
    events: { "order.paid": z.object({}), "order.refunded": z.object({}) },
    auth: { serviceKey: key },
    logger: quiet,
  });
  receiver.on("order.*", () => {});
  return receiver;
}

/** Lets a module on disk export values of this test. */
async function doctor(exported: Record<string, unknown>) {
  const slot = `doctor-${Math.random()}`;
  Reflect.set(globalThis, slot, exported);
  const path = join(folder, `${slot}.mjs`);
  const names = Object.keys(exported);
  writeFileSync(
    path,
    `const all = globalThis[${JSON.stringify(slot)}];\n${names.map((n) => `export const ${n} = all.${n};`).join("\n")}`,
  );
  return run(path);
}

async function run(...args: string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const io = {
    stdout: (text: string) => out.push(text),
    stderr: (text: string) => errors.push(text),
    env: {},
  };
  const code = await main(["doctor", ...args], io as unknown as Parameters<typeof main>[1]);
  return { code, out: out.join(""), errors: errors.join("") };
}

describe("hookgate doctor", () => {
  it("has nothing to say of a receiver that is well mounted", async () => {
    for (const app of [express(), express4()]) {
      const receiver = make();
      app.all("/hooks", receiver.middleware());
      app.use(express.json());
      expect(await doctor({ receiver, app })).toEqual({
        code: 0,
        out: "",
        errors: "receiver: nothing to say\n",
      });
    }
  });

  it("finds event types without a handler", async () => {
    const receiver = make();
    receiver.off("order.*");
    const { code, out } = await doctor({ receiver });
    expect(code).toBe(1);
    expect(out).toContain('receiver: no handler for the declared event type "order.paid"');
    expect(out).toContain("order.refunded");
  });

  it("finds a receiver without any handler", async () => {
    const receiver = createReceiver({ name: "orders", auth: { serviceKey: key } });
    const { code, out } = await doctor({ receiver });
    expect(code).toBe(1);
    expect(out).toContain(
      "- receiver: no handler is registered: all deliveries are answered 200 and ignored",
    );
  });

  it("finds app.post, and parsers ahead, in Express 5 and 4", async () => {
    const apps = [express(), express4()];
    for (const app of apps) {
      const receiver = make();
      app.use(express.json());
      app.post("/hooks", app === apps[0] ? receiver.middleware() : receiver.middleware);
      const { code, out } = await doctor({ receiver, app });
      expect(code).toBe(1);
      expect(out).toContain("app: receiver is mounted on /hooks for post only; use app.all");
      expect(out).toContain("app: jsonParser stands before receiver on /hooks");
    }
  });

  it("finds a receiver behind app.use, too, and does not take it for a route", async () => {
    const receiver = make();
    const app = express().use(receiver.middleware());
    expect((await doctor({ receiver, app })).code).toBe(0);
  });

  it("says what a module throws while it is imported", async () => {
    const path = join(folder, "broken.mjs");
    writeFileSync(path, "throw new TypeError('createReceiver.auth is missing')");
    expect(await run(path)).toMatchObject({
      code: 1,
      errors: expect.stringContaining("cannot be imported: createReceiver.auth is missing"),
    });
  });

  it("asks for a module that exports a receiver", async () => {
    expect(await doctor({ other: 1 })).toMatchObject({
      code: 1,
      errors: expect.stringContaining("exports no receiver"),
    });
    expect(await run()).toMatchObject({
      code: 2,
      errors: expect.stringContaining("doctor takes one module"),
    });
    expect(await run("a", "b")).toMatchObject({ code: 2 });
    expect(await run("--what")).toMatchObject({ code: 2 });
  });
});
jest.setTimeout(20_000);
