import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, it } from "@jest/globals";
import express from "express";
import { credentialsFromLookup, requireAllowedIp, requireAuth } from "hookgate";
import { sendDelivery } from "hookgate/testing";
import { quiet } from "../support/quiet.js";

const key = randomBytes(32).toString("base64url");

describe("guards", () => {
  it("report what an allowlist in shadow mode would refuse, and let it through", async () => {
    const refused: unknown[] = [];
    const app = express();
    const hooks = {
      refused: ({ code, enforced }: { code: string; enforced: boolean }) => refused.push({ code, enforced }),
    };
    app.use(requireAllowedIp({ ranges: ["192.0.2.0/24"], mode: "shadow" }, { logger: quiet, hooks }));
    app.post("/", (_req, res) => void res.sendStatus(204));
    expect((await sendDelivery(app, { path: "/" })).status).toBe(204);
    expect(refused).toEqual([{ code: "ERR_ADDRESS_REFUSED", enforced: false }]);
  });

  it("hand on what a later middleware throws after a lookup", async () => {
    const credentials = credentialsFromLookup({
      key: async () => ({ tenant: "t", service: "s", id: "k" }),
    });
    const guard = requireAuth({ accept: ["service-key"], credentials, logger: quiet });
    const request = { method: "GET", url: "/", headers: { key }, rawHeaders: ["key", key], socket: {} };
    const thrown = new Error("the middleware's own");
    const handedOn = await new Promise((resolve) => {
      guard(request as unknown as IncomingMessage, {} as ServerResponse, (error) => {
        if (error === undefined) throw thrown;
        resolve(error);
      });
    });
    expect(handedOn).toBe(thrown);
  });
});
