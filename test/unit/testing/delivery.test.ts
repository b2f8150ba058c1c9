import { describe, expect, it } from "@jest/globals";
import express from "express";
import express4 from "express4";
import { createFakeClock, sendDelivery } from "../../../src/testing/index.js";

describe("sendDelivery", () => {
  it.each([
    ["5", express],
    ["4", express4],
  ])("reaches an Express %s app without a socket", async (_version, make) => {
    const app = make();
    app.use(make.text({ type: "*/*" }));
    app.post("/in", (req, res) => {
      res.status(201).json({
        body: req.body,
        key: req.headers.key,
        from: req.socket.remoteAddress,
        type: req.headers["content-type"],
      });
    });
    const answer = await sendDelivery(
      app,
      { path: "/in?x", body: { a: 1 }, key: "k" },
      { remoteAddress: "203.0.113.9" },
    );
    expect(answer.status).toBe(201);
    expect(answer.json()).toEqual({
      body: '{"a":1}',
      key: "k",
      from: "203.0.113.9",
      type: "application/json",
    });
  });

  it("reaches a URL, and repeats a header that is given as a list", async () => {
    const { createServer } = await import("node:http");
    const server = createServer((req, res) => res.end(JSON.stringify(req.rawHeaders)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const answer = await sendDelivery(`http://127.0.0.1:${port}/`, {
      body: "x",
      headers: { key: ["a", "b"] },
      token: "t",
    });
    expect((answer.json() as string[]).filter((text) => text === "key")).toHaveLength(2);
    expect(answer.text).toContain("Bearer t");
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("createFakeClock", () => {
  it("stands still, and calls timers in the order in which they fall due", () => {
    const clock = createFakeClock(new Date(1000));
    const calls: [string, number][] = [];
    const call = (name: string) => () => calls.push([name, clock.now()]);
    clock.after(20, call("late"));
    clock.after(10, call("early"));
    clock.after(10, call("cancelled"))();
    clock.after(30, call("never"));
    expect(clock.now()).toBe(1000);
    clock.advance("20ms");
    expect(calls).toEqual([
      ["early", 1010],
      ["late", 1020],
    ]);
    expect([clock.now(), clock.pending]).toEqual([1020, 1]);
  });
});
