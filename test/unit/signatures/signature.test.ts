import { describe, expect, it } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import { createMessageCheck } from "../../../src/signatures/http-message/verify.js";
import {
  createSignatureGate,
  SignatureRefusal,
  type UnsignedRequest,
} from "../../../src/signatures/signature.js";
import type { CustomScheme, HeaderScheme, SignatureScheme } from "../../../src/types/signature.js";
import { hmac, requestOf, secretKey } from "./signed-request.js";

const secret = "a secret that is long enough to be one";
const scheme: HeaderScheme = {
  kind: "header",
  headers: [{ signature: "x-signature" }],
  variants: [{ label: "", algorithm: "hmac-sha256", keys: [secretKey(secret)] }],
  encoding: "hex",
  signed: "{body}",
};
const body = '{"a":1}';
const good = hmac(secret, body).toString("hex");
const gate = createSignatureGate(scheme, "source.signature");

const custom = (verify: (...args: never[]) => unknown, publicUrl?: string): SignatureScheme => ({
  kind: "custom",
  verify: verify as CustomScheme["verify"],
  publicUrl,
});
const verified = async (verify: (...args: never[]) => unknown): Promise<unknown> =>
  createSignatureGate(custom(verify), "source.signature")(requestOf({}, body), 5);

describe("the signature gate", () => {
  it("gives the key that verified a delivery", () => {
    expect(gate(requestOf({ "x-signature": good }, body), 0)).toEqual({ keyId: "secret-1" });
  });

  it("refuses with one code, the fault beside it and the reason for the operator", () => {
    const refusal = gate(requestOf({ "x-signature": good }, `${body} `), 0);
    expect(refusal).toBeInstanceOf(SignatureRefusal);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ code: "ERR_SIGNATURE_INVALID", fault: "mismatch" });
    expect((refusal as Refusal).reason).toMatch(/^no secret matches the signature/);
    expect(gate(requestOf({}, body), 0)).toMatchObject({ code: "ERR_SIGNATURE_INVALID", fault: "missing" });
  });

  it("E24 blames the app where the body is not as long as was announced, whatever the signature says", () => {
    const sent = { "x-signature": good, "Content-Length": String(body.length + 2) };
    const refusal = gate(requestOf(sent, body), 0);
    expect(refusal).not.toBeInstanceOf(SignatureRefusal);
    expect(refusal).toMatchObject({ code: "ERR_BODY_CONSUMED" });
    expect((refusal as Refusal).reason).toMatch(/announced 9 bytes and 7 are here: an earlier middleware/);
    for (const length of ["", "x", "-1"]) {
      expect(gate(requestOf({ ...sent, "Content-Length": length }, body), 0)).toMatchObject({
        code: "ERR_BODY_CONSUMED",
      });
    }
  });

  it("counts bytes, not characters", () => {
    const text = '{"a":"é€"}';
    const length = Buffer.byteLength(text);
    expect(length).toBeGreaterThan(text.length);
    const sent = { "x-signature": hmac(secret, text).toString("hex"), "Content-Length": String(length) };
    expect(gate(requestOf(sent, text), 0)).toEqual({ keyId: "secret-1" });
  });

  it("I09 reads no announced length from a polluted prototype", () => {
    const request = requestOf({ "x-signature": good }, body);
    const headers = Object.assign(Object.create({ "content-length": "1" }), request.headers);
    expect(gate({ ...request, headers }, 0)).toEqual({ keyId: "secret-1" });
  });
});

describe("checks in code", () => {
  it("get the request, the public URL and the time", () => {
    const seen: unknown[] = [];
    const verify = (...args: unknown[]): object => {
      seen.push(...args);
      return { keyId: "k" };
    };
    const request: UnsignedRequest = requestOf({ a: "b" }, body, { url: "/x?y=1", method: "PUT" });
    createSignatureGate(custom(verify, "https://x.test"), "w")(request, 7);
    expect(seen).toEqual([{ ...request, publicUrl: "https://x.test/x?y=1" }, 7]);
    createSignatureGate(custom(verify), "w")(request, 8);
    expect(seen.slice(2)).toEqual([{ ...request, publicUrl: undefined }, 8]);
  });

  it("may answer at once or later", async () => {
    expect(
      createSignatureGate(
        custom(() => ({ keyId: "k" })),
        "w",
      )(requestOf({}, body), 0),
    ).toEqual({ keyId: "k" });
    expect(await verified(async () => ({ keyId: "k" }))).toEqual({ keyId: "k" });
    const fault = { fault: "timestamp", reason: "too old" };
    expect(await verified(() => fault)).toMatchObject({ fault: "timestamp", reason: "too old" });
    expect(await verified(async () => fault)).toBeInstanceOf(SignatureRefusal);
  });

  it.each([
    undefined,
    null,
    true,
    1,
    "secret-1",
    {},
    { keyId: 1 },
    { keyId: undefined },
    [],
    () => ({ keyId: "k" }),
  ])("A34 fail closed where they give %p", async (found) => {
    for (const verify of [() => found, async () => found]) {
      const refusal = await verified(verify);
      expect(refusal).toBeInstanceOf(Refusal);
      expect(refusal).toMatchObject({ code: "ERR_INTERNAL" });
    }
  });

  it("A34 let what they throw out, and so never pass", async () => {
    const thrown = new Error("bug");
    const raise = () => {
      throw thrown;
    };
    expect(() => createSignatureGate(custom(raise), "w")(requestOf({}, body), 0)).toThrow(thrown);
    await expect(verified(async () => raise())).rejects.toBe(thrown);
  });
});

describe("HTTP message signatures", () => {
  it("are checked by their own rules", async () => {
    const keys = [{ ...secretKey(secret), algorithm: "hmac-sha256" as const }];
    const messages = {
      kind: "http-message",
      createCheck: createMessageCheck,
      keys,
      required: ["@method"],
      tolerance: "5m",
    } as const;
    const found = await createSignatureGate(messages, "source.signature")(requestOf({}, body), 0);
    expect(found).toMatchObject({ code: "ERR_SIGNATURE_INVALID", fault: "missing" });
  });
});

describe("schemes that cannot be meant", () => {
  it("are refused when the gate is made, with the option's name", () => {
    const make = (change: object) => () =>
      createSignatureGate({ ...scheme, ...change } as SignatureScheme, "source.signature");
    expect(make({ kind: "headers" })).toThrow(
      /^source\.signature\.kind must be "header", "http-message" or "custom"$/,
    );
    expect(make({ kind: undefined })).toThrow(TypeError);
    expect(make({ kind: "http-message" })).toThrow(
      /^source\.signature\.createCheck is missing: give createMessageCheck, which hookgate\/http-signature exports$/,
    );
    expect(make({ publicUrl: "example.com" })).toThrow(/^source\.signature\.publicUrl must be an origin/);
    expect(make({ variants: [] })).toThrow(/^source\.signature\.variants is empty/);
  });
});
