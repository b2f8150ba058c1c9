import { describe, expect, it } from "@jest/globals";
import { FailureRateLimiter } from "../../../src/auth/failure-limiter.js";
import { type ErrorCode, Refusal } from "../../../src/errors.js";
import { parseIp } from "../../../src/ip/address.js";

const minute = 60_000;
const bad = (code: ErrorCode = "ERR_KEY_INVALID") => new Refusal(code, "why");

describe("FailureRateLimiter", () => {
  it("C14 answers as before within the budget, and 429 beyond it, until the minute is over", () => {
    const budget = new FailureRateLimiter(2);
    const ip = parseIp("192.0.2.1");
    const codes = [0, 1, minute - 1, minute, minute + 1].map((ms) => budget.count(bad(), ip, ms).code);
    expect(codes).toEqual([
      "ERR_KEY_INVALID",
      "ERR_KEY_INVALID",
      "ERR_TOO_MANY_FAILURES",
      "ERR_KEY_INVALID",
      "ERR_KEY_INVALID",
    ]);
  });

  it("I06 counts IPv4 by address, IPv6 by /64, and the unknown together", () => {
    const budget = new FailureRateLimiter(1);
    const charge = (text: string) => budget.count(bad(), parseIp(text), 0).code;
    expect([charge("192.0.2.1"), charge("192.0.2.2"), charge("::ffff:192.0.2.1")]).toEqual([
      "ERR_KEY_INVALID",
      "ERR_KEY_INVALID",
      "ERR_TOO_MANY_FAILURES",
    ]);
    expect([charge("2001:db8::1"), charge("2001:db8:0:1::1"), charge("2001:db8::ffff:1")]).toEqual([
      "ERR_KEY_INVALID",
      "ERR_KEY_INVALID",
      "ERR_TOO_MANY_FAILURES",
    ]);
    expect([charge(""), charge("")]).toEqual(["ERR_KEY_INVALID", "ERR_TOO_MANY_FAILURES"]);
  });

  it("does not count what is not the sender's failure", () => {
    const budget = new FailureRateLimiter(1);
    for (const code of ["ERR_CREDENTIALS_UNAVAILABLE", "ERR_INTERNAL", "ERR_OVERLOADED"] as const) {
      for (let i = 0; i < 3; i++) expect(budget.count(bad(code), undefined, 0).code).toBe(code);
    }
  });

  it("begins anew where the clock was set back", () => {
    const budget = new FailureRateLimiter(1);
    budget.count(bad(), undefined, minute);
    expect(budget.count(bad(), undefined, 0).code).toBe("ERR_KEY_INVALID");
  });

  it("keeps the last failure's cause in the operator's reason", () => {
    const budget = new FailureRateLimiter(1);
    budget.count(bad(), undefined, 0);
    expect(budget.count(bad("ERR_TOKEN_INVALID"), undefined, 0).reason).toContain(
      "the last: ERR_TOKEN_INVALID, why",
    );
  });
});
