import { describe, expect, it } from "@jest/globals";
import { EndFlag, runBlocking } from "../../../../src/inbox/sqlite/end-flag.js";

describe("EndFlag", () => {
  it("is one flag for all who share its memory", () => {
    const main = new EndFlag();
    const thread = new EndFlag(main.memory);
    expect(thread.enter()).toBe(true);
    main.raise();
    expect(thread.raised).toBe(true);
  });

  it("tells a thread that enters too late to begin nothing", () => {
    const main = new EndFlag();
    main.raise();
    expect(new EndFlag(main.memory).enter()).toBe(false);
  });

  it("does not wait for a thread that has not entered, or has left", () => {
    const flag = new EndFlag();
    flag.waitUntilLeft(60_000);
    flag.enter();
    flag.leave();
    flag.waitUntilLeft(60_000);
    expect(flag.raised).toBe(false);
  });

  it("ends the waits of blocking work when it is raised", () => {
    const flag = new EndFlag();
    flag.raise();
    function* steps(): Generator<number, string> {
      yield 60_000;
      return "done";
    }
    expect(runBlocking(steps(), flag)).toBe("done");
  });
});
