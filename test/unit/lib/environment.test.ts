import { afterEach, expect, it } from "@jest/globals";
import { systemEnvironment } from "../../../src/lib/environment.js";

const name = "HOOKGATE_TEST_VARIABLE";

afterEach(() => {
  delete process.env[name];
});

it("reads a variable of the process when it is asked for", () => {
  expect(systemEnvironment.variable(name)).toBeUndefined();
  process.env[name] = "set later";
  expect(systemEnvironment.variable(name)).toBe("set later");
});
