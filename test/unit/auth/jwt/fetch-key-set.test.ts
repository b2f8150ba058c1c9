import { getDefaultAutoSelectFamily, setDefaultAutoSelectFamily } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { fetchKeySet, type KeySetRequest } from "../../../../src/auth/jwt/fetch-key-set.js";
import { createFakeClock } from "../../../../src/testing/fake-clock.js";
import { type KeySetServer, startKeySetServer } from "./key-set-server.js";
import { certificate } from "./tls-fixture.js";

let server: KeySetServer;

beforeEach(async () => {
  server = await startKeySetServer();
  server.answer = { keys: [] };
});
afterEach(() => server.close());

function request(options: Partial<KeySetRequest> = {}): KeySetRequest {
  return {
    uri: new URL(`https://localhost:${server.port}/`),
    ca: certificate,
    timeoutMs: 5000,
    clock: createFakeClock(),
    isForbiddenAddress: undefined,
    signal: new AbortController().signal,
    ...options,
  };
}

describe("fetchKeySet", () => {
  it.each([true, false])(
    "judges each address of a name before it connects (several tried at once: %p)",
    async (several) => {
      const before = getDefaultAutoSelectFamily();
      setDefaultAutoSelectFamily(several);
      const judged: string[] = [];
      const isForbiddenAddress = (address: string): boolean => {
        judged.push(address);
        return false;
      };
      const uri = new URL(`https://localhost:${server.port}/`);
      try {
        expect(await fetchKeySet(request({ uri, isForbiddenAddress }))).toEqual({ keys: [] });
      } finally {
        setDefaultAutoSelectFamily(before);
      }
      expect(judged).toContain("127.0.0.1");
    },
  );

  it("rejects where a name cannot be resolved", async () => {
    // A label of 64 characters is no name (RFC 1035 section 2.3.4), so no resolver is asked.
    const uri = new URL(`https://${"a".repeat(64)}.invalid/`);
    await expect(fetchKeySet(request({ uri, isForbiddenAddress: () => false }))).rejects.toThrow(
      /getaddrinfo/,
    );
  });

  it("asks for JSON without content coding, and reuses no connection", async () => {
    let headers: Record<string, unknown> = {};
    server.answer = (req, res) => {
      headers = req.headers;
      res.end("{}");
    };
    await fetchKeySet(request());
    expect(headers).toMatchObject({ "accept-encoding": "identity", connection: "close" });
    expect(String(headers.accept)).toContain("application/jwk-set+json");
  });
});
