import { createRequire } from "node:module";
import { describe, expect, it } from "@jest/globals";
import { sign } from "@octokit/webhooks-methods";
import { github } from "hookgate/github";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { ParsedDelivery, SourceEvent } from "../../../src/types/source.js";
import { requestOf, wordOf } from "../signatures/signed-request.js";

interface Example {
  readonly name: string;
  readonly examples: readonly { readonly action?: string }[];
}
const webhooks: readonly Example[] = createRequire(import.meta.url)("@octokit/webhooks-examples");
const examples = webhooks.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));

const secret = "9d1f0c7be8a24635d0e1";
const source = github({
  secret: [`${secret}-old-and-longer`, { id: "new", secret: `${secret}-new-and-longer` }],
});
const gate = createSignatureGate(source.signature as never, "source.signature");
const headers = { "x-github-event": "push", "x-github-delivery": "id-1" };
const read = (delivery: Partial<ParsedDelivery>) =>
  source.events({ body: {}, kind: "json", headers, ...delivery });

describe("github", () => {
  it("reads the type of each of the 329 published payloads, with the action where there is one", () => {
    expect(examples).toHaveLength(329);
    for (const { name, payload } of examples) {
      const [event, ...more] = read({
        body: payload,
        headers: { "x-github-event": name, "x-github-delivery": "id-1" },
      }) as readonly SourceEvent[];
      expect(more).toEqual([]);
      const action = "action" in payload ? `.${payload.action}` : "";
      expect(event).toEqual({ type: `${name}${action}`, id: "id-1", data: payload });
      expect(event?.data).toBe(payload);
    }
  });

  it("takes the signatures of @octokit/webhooks-methods, over the bytes alone", async () => {
    for (const { payload } of examples) {
      const body = JSON.stringify(payload);
      const sent = { "X-Hub-Signature-256": await sign(`${secret}-new-and-longer`, body) };
      expect(gate(requestOf(sent, body), 0)).toEqual({ keyId: "new" });
      expect(wordOf((await gate(requestOf(sent, `${body} `), 0)) as never)).toBe("mismatch");
    }
  });

  it("F06 does not look at the older SHA-1 header", async () => {
    const body = "{}";
    const signature = (await sign(`${secret}-new-and-longer`, body)).replace("sha256", "sha1");
    expect(wordOf((await gate(requestOf({ "X-Hub-Signature": signature }, body), 0)) as never)).toBe(
      "missing",
    );
  });

  it("E21 reads form-encoded deliveries: one field `payload` of strict JSON", () => {
    const form = (payload: unknown) => read({ kind: "form", body: { payload } });
    expect(form('{"action":"opened"}')).toEqual([
      { type: "push.opened", id: "id-1", data: { action: "opened" } },
    ]);
    expect(form("[]")).toEqual([{ type: "push", id: "id-1", data: [] }]);
    const fault = { fault: "the form must have exactly one field, `payload`, that holds JSON" };
    for (const payload of ["", "{", '{"a":1,"a":2}', ["{}", "{}"], undefined, 5, {}]) {
      expect(form(payload)).toEqual(fault);
    }
    expect(read({ kind: "form", body: {} })).toEqual(fault);
    expect(read({ kind: "form", body: Object.create({ payload: "{}" }) })).toEqual(fault);
  });

  it("reads a ping, which has no action", () => {
    expect(read({ headers: { "x-github-event": "ping" }, body: { zen: "…" } })).toEqual([
      { type: "ping", id: undefined, data: { zen: "…" } },
    ]);
  });

  it.each([5, null, "", ["opened"], { toString: "opened" }])(
    "G01 makes no type of the action %j",
    (action) => {
      expect(read({ body: { action } })).toMatchObject([{ type: "push" }]);
      expect(read({ body: Object.create({ action: "opened" }) })).toMatchObject([{ type: "push" }]);
    },
  );

  it("says that the header of the type is missing", () => {
    const fault = { fault: "the header X-GitHub-Event is missing" };
    expect(read({ headers: {} })).toEqual(fault);
    expect(read({ headers: { "x-github-event": "" } })).toEqual(fault);
    expect(read({ headers: Object.create({ "x-github-event": "push" }) })).toEqual(fault);
  });

  it("composes what it reads", () => {
    for (const type of ["push", "issues.opened", "installation_repositories.added"]) {
      const action = type.split(".")[1];
      const data = action === undefined ? { ref: "r" } : { action };
      const composed = source.compose?.({ type, id: "x", data, nowMs: 0 });
      expect(composed?.contentType).toBe("application/json");
      const body = JSON.parse(composed?.body ?? "");
      expect(read({ body, headers: composed?.headers })).toEqual([{ type, id: "x", data }]);
    }
  });

  it("F07 refuses secrets that are none, naming the option", () => {
    expect(() => github({ secret: undefined as never })).toThrow(
      /^github\.secret is undefined: is an environment/,
    );
    expect(() => github({ secret: "It's short" })).toThrow(
      /^github\.secret has 10 bytes; at least 24 are required/,
    );
    expect(() => github({ secret: "It's short", insecureShortSecret: "yes" as never })).toThrow(
      /^github\.insecureShortSecret must be true/,
    );
    expect(() => github({ secrets: secret } as never)).toThrow(
      /^github has no option "secrets"; did you mean "secret"/,
    );
    expect(github({ secret: "It's short", insecureShortSecret: true }).name).toBe("github");
  });

  it("says how long GitHub waits, and keeps what it reads events from", () => {
    expect(source.deadline).toBe("10s");
    expect(source.headers).toEqual(expect.arrayContaining(["x-github-event", "x-github-delivery"]));
    expect(source.headers).not.toContain("x-hub-signature-256");
  });
});
