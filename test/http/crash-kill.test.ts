/** Servers in processes of their own, ended in every way under load: what was acknowledged must be there. */
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { buildProgram, type Program } from "../torture/build.js";
import { endUnderLoad, type KillResult } from "../torture/kills.js";

jest.setTimeout(180_000);

let program: Program;
beforeAll(() => {
  program = buildProgram();
});
afterAll(() => program.remove());

const seed = Date.now() % 1_000_000;

/** An answer that a server under these conditions may give; 0: none, for it is gone. */
function expectAnswers({ promised }: KillResult): void {
  expect([...promised.answers.keys()].filter((status) => ![0, 200, 202, 503].includes(status))).toEqual([]);
  expect(promised.acknowledged.size).toBeGreaterThan(100);
}

describe("a server that is killed 20 times at random points under load", () => {
  it(`H02, H07: loses nothing acknowledged, ends every task, completes none twice (seed ${seed})`, async () => {
    const result = await endUnderLoad({ program, seed, rounds: 20, how: "kill" });
    expect(result.faults).toEqual([]);
    expectAnswers(result);
    // Else nothing was under way when it was killed, or nothing failed, and the test proves nothing.
    expect(result.lost).toBeGreaterThan(0);
    expect(result.later).toBeGreaterThan(0);
  });
});

describe("a server that is told 20 times to end under load", () => {
  it(`H17: loses nothing acknowledged, ends in time with code 0, gives its tasks back (seed ${seed})`, async () => {
    const graceMs = 300;
    // Some handlers take longer than the grace: their tasks are given back, and the attempt does not count.
    const options = { how: "terminate", slowMs: 500, eventsPerRound: 100, server: { graceMs } } as const;
    const result = await endUnderLoad({ program, seed, rounds: 20, ...options });
    expect(result.faults).toEqual([]);
    expectAnswers(result);
    expect(result.exits.filter(({ code, signal }) => code !== 0 || signal !== null)).toEqual([]);
    expect(Math.max(...result.exits.map(({ tookMs }) => tookMs))).toBeLessThan(graceMs + 1_000);
    expect([result.lost, result.overcounted]).toEqual([0, 0]);
  });
});
