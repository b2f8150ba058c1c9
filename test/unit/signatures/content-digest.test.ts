import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { contentDigestFault } from "../../../src/signatures/content-digest.js";

const body = Buffer.from('{"hello": "world"}');
const digest = (hash: string, of: Uint8Array = body) => `:${createHash(hash).update(of).digest("base64")}:`;
const sha256 = `sha-256=${digest("sha256")}`;
const sha512 = `sha-512=${digest("sha512")}`;

describe("contentDigestFault", () => {
  it("takes the published digests (RFC 9530 section 2, RFC 9421 section 7.2.8)", () => {
    expect(
      contentDigestFault("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", body),
    ).toBeUndefined();
    expect(
      contentDigestFault(
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        body,
      ),
    ).toBeUndefined();
  });

  it.each([
    sha256,
    sha512,
    `${sha256}, ${sha512}`,
    `md5=:AAAA:, ${sha256}`,
    `${sha256};a=1`,
    `unixsum=30637, ${sha512}`,
  ])("takes %s", (field) => {
    expect(contentDigestFault(field, body)).toBeUndefined();
  });

  it("takes the digest of an empty body", () => {
    expect(
      contentDigestFault(`sha-256=${digest("sha256", Buffer.alloc(0))}`, Buffer.alloc(0)),
    ).toBeUndefined();
  });

  it.each([
    ["another body's", `sha-256=${digest("sha256", Buffer.from("other"))}`, "mismatch"],
    ["one right and one wrong", `${sha256}, sha-512=${digest("sha512", Buffer.from("other"))}`, "mismatch"],
    [
      "a truncated one",
      `sha-256=:${createHash("sha256").update(body).digest().subarray(1).toString("base64")}:`,
      "mismatch",
    ],
    ["an empty one", "sha-256=::", "mismatch"],
    ["another hash's", `sha-256=${digest("sha512")}`, "mismatch"],
    ["md5 alone", `md5=${digest("md5")}`, "malformed"],
    ["sha alone", `sha=${digest("sha1")}`, "malformed"],
    ["sha-384, which is not registered", `sha-384=${digest("sha384")}`, "malformed"],
    ["none", "", "malformed"],
    ["a string", 'sha-256="X48E"', "malformed"],
    ["a list", `sha-256=(${digest("sha256")})`, "malformed"],
    ["no value", "sha-256", "malformed"],
    ["no dictionary", `sha-256 ${digest("sha256")}`, "malformed"],
    ["one twice", `${sha256}, ${sha256}`, "malformed"],
    ["hex", `sha-256=:${createHash("sha256").update(body).digest("hex")}:`, "mismatch"],
    ["base64url", `sha-256=:${createHash("sha256").update(body).digest("base64url")}:`, "malformed"],
    ["an upper-case name", sha256.replace("sha", "SHA"), "malformed"],
  ])("refuses %s (F09)", (_, field, fault) => {
    expect(contentDigestFault(field, body)).toMatchObject({ fault });
  });
});
