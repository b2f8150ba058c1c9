import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type MessageSigning, signMessage } from "../../../../src/signatures/http-message/sign.js";
import { contentDigestFault, createMessageCheck } from "../../../../src/signatures/http-message/verify.js";
import { createSignatureGate, SignatureRefusal } from "../../../../src/signatures/signature.js";
import type { MessageAlgorithm, MessageKey, MessageScheme } from "../../../../src/types/signature.js";
import { ed25519, p256, p384, rsa } from "../../keys/keys.js";
import { requestOf, type SentHeaders, secretKey, wordOf } from "../signed-request.js";

const secret = secretKey("0123456789abcdefghijklmnopqrstuv", "shared");
const keyOf = (id: string, algorithm: MessageAlgorithm, key: KeyObject): MessageKey => ({
  ...secret,
  id,
  algorithm,
  key,
});
const pairs: readonly (readonly [MessageAlgorithm, KeyObject, KeyObject])[] = [
  ["hmac-sha256", secret.key, secret.key],
  ["ed25519", ed25519.privateKey, ed25519.publicKey],
  ["ecdsa-p256-sha256", p256.privateKey, p256.publicKey],
  ["ecdsa-p384-sha384", p384.privateKey, p384.publicKey],
  ["rsa-v1_5-sha256", rsa.privateKey, rsa.publicKey],
  ["rsa-pss-sha512", rsa.privateKey, rsa.publicKey],
];
const publicUrl = "https://hooks.example.com";
const scheme: MessageScheme = {
  kind: "http-message",
  createCheck: createMessageCheck,
  keys: pairs.map(([algorithm, , key]) => keyOf(algorithm, algorithm, key)),
  required: ["@method", "@authority", "@path"],
  tolerance: "5m",
  publicUrl,
};
const nowMs = 1_700_000_000_500;
const now = 1_700_000_000;
const components = ["@method", "@authority", "@path", "content-digest"];
const body = '{"type":"a"}';
const signing: MessageSigning = {
  keyId: "ed25519",
  algorithm: "ed25519",
  key: ed25519.privateKey,
  components,
  created: now,
};

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly body?: string;
}

/** A signed request's headers, its own among them. */
function signed(
  how: Partial<MessageSigning> = {},
  { headers = {}, url = "/hooks", body: text = body }: Sent = {},
) {
  const message = { method: "POST", url: `${publicUrl}${url}`, headers, body: text };
  return { ...headers, ...signMessage(message, { ...signing, ...how }) };
}

function check(
  headers: SentHeaders,
  {
    with: changed = {},
    at = nowMs,
    text = body,
  }: { with?: Partial<MessageScheme>; at?: number; text?: string } = {},
) {
  const gate = createSignatureGate({ ...scheme, ...changed }, "signature");
  return gate(requestOf(headers, text, { url: "/hooks" }), at) as never;
}

function reasonOf(...given: Parameters<typeof check>): string {
  const found: unknown = check(...given);
  return found instanceof SignatureRefusal ? `${found.fault}: ${found.reason}` : wordOf(found as never);
}

/** The two headers of several signatures. */
function joined(...all: readonly Record<string, string>[]): Record<string, string> {
  const [first] = all;
  const join = (name: string) => all.map((headers) => headers[name]).join(", ");
  return { ...first, "signature-input": join("signature-input"), signature: join("signature") };
}

describe("http-message signatures", () => {
  it.each(pairs)("take what %s signed, and nothing else by that name", (algorithm, key) => {
    const headers = signed({ keyId: algorithm, algorithm, key });
    expect(check(headers)).toEqual({ keyId: algorithm });
    expect(reasonOf({ ...headers, signature: "sig1=:AAAA:" })).toMatch(/^mismatch: .* does not match/);
    for (const [other] of pairs) {
      if (other === algorithm) continue;
      const renamed = headers["signature-input"].replace(`keyid="${algorithm}"`, `keyid="${other}"`);
      expect(reasonOf({ ...headers, "signature-input": renamed })).toMatch(/^mismatch: /);
    }
  });

  it("compare PSS signatures with a salt of 64 bytes alone (RFC 9421 section 3.3.1)", async () => {
    const { constants, sign } = await import("node:crypto");
    const headers = signed({ keyId: "rsa-pss-sha512", algorithm: "rsa-pss-sha512", key: rsa.privateKey });
    const base = [
      '"@method": POST',
      '"@authority": hooks.example.com',
      '"@path": /hooks',
      `"content-digest": ${headers["content-digest"]}`,
      `"@signature-params": ${headers["signature-input"].replace("sig1=", "")}`,
    ].join("\n");
    const withSalt = (saltLength: number): string => {
      const options = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
      return wordOf(
        check({
          ...headers,
          signature: `sig1=:${sign("sha512", Buffer.from(base), options).toString("base64")}:`,
        }),
      );
    };
    expect([20, 32, 64].map(withSalt)).toEqual(["mismatch", "mismatch", "rsa-pss-sha512"]);
    expect(reasonOf({ ...headers, signature: "sig1=:AAAA:" })).toMatch(/or its salt is not 64 bytes long$/);
  });

  it("refuse ECDSA in DER, and zeros (A14)", async () => {
    const { sign } = await import("node:crypto");
    const headers = signed({
      keyId: "ecdsa-p256-sha256",
      algorithm: "ecdsa-p256-sha256",
      key: p256.privateKey,
    });
    for (const bytes of [
      sign("sha256", Buffer.from("x"), p256.privateKey),
      Buffer.alloc(64),
      Buffer.alloc(64, 255),
    ]) {
      expect(wordOf(check({ ...headers, signature: `sig1=:${bytes.toString("base64")}:` }))).toBe("mismatch");
    }
  });

  it.each([
    ["neither header", {}, /^missing: the header signature-input is missing/],
    ["no Signature", { signature: undefined }, /^missing: the header signature is missing/],
    ["an empty Signature-Input", { "signature-input": "" }, /^missing: .* is empty/],
    ["an empty Signature", { signature: " " }, /^missing: .* is empty/],
    [
      "no dictionary",
      { "signature-input": "sig1=(" },
      /^malformed: the header signature-input is not a dictionary/,
    ],
    ["a broken Signature", { signature: "sig1=:A:" }, /^malformed: the header signature is not a dictionary/],
    ["a signature as a string", { signature: 'sig1="AAAA"' }, /^malformed: .* not a byte sequence/],
    ["a signature as a list", { signature: "sig1=(:AAAA:)" }, /^malformed: .* not a byte sequence/],
    ["an item as input", { "signature-input": 'sig1="@method"' }, /^malformed: .* not an inner list/],
    ["another label", { signature: "sig2=:AAAA:" }, /^malformed: .* the same labels/],
    ["a label more", { signature: "sig1=:AAAA:, sig2=:AAAA:" }, /^malformed: .* the same labels/],
    ["a line end within", { signature: "sig1=:AAAA:\nX: y" }, /^malformed: .* line end/],
    [
      "more than 8 KiB",
      { signature: `sig1=:AAAA:;a="${"x".repeat(8_200)}"` },
      /^malformed: .* longer than 8192/,
    ],
  ])("refuse %s (F01)", (_, changed, reason) => {
    const headers = Object.keys(changed).length === 0 ? {} : { ...signed(), ...changed };
    const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    expect(reasonOf(sent as SentHeaders)).toMatch(reason);
  });

  it("refuse a header sent twice with one label, and take several lines of different ones", () => {
    const one = signed();
    const other = signed({ label: "other", keyId: "unknown" });
    const lines = (name: "signature" | "signature-input") => [other[name], one[name]];
    const twice = { ...one, signature: [one.signature, one.signature] };
    expect(reasonOf(twice)).toMatch(/^malformed: .* came before/);
    const several = { ...one, signature: lines("signature"), "signature-input": lines("signature-input") };
    expect(check(several)).toEqual({ keyId: "ed25519" });
  });

  it("take any one of several signatures that meets every demand, up to ten (F04)", () => {
    const others = Array.from({ length: 10 }, (_, at) => signed({ label: `s${at}`, keyId: "unknown" }));
    expect(check(joined(...others.slice(1), signed()))).toEqual({ keyId: "ed25519" });
    expect(check(joined(signed(), ...others.slice(1)))).toEqual({ keyId: "ed25519" });
    expect(reasonOf(joined(signed(), ...others))).toMatch(/^malformed: .* more than 10 signatures/);
  });

  it("tell of several signatures what the nearest lacks", () => {
    const far = signed({ label: "far", keyId: "unknown" });
    const near = signed({ label: "near", created: now - 301 });
    const expected =
      /^timestamp: none of 2 signatures counts; the nearest, "near": its created lies 301 s behind/;
    expect(reasonOf(joined(far, near))).toMatch(expected);
    expect(reasonOf(joined(near, far))).toMatch(expected);
  });

  it("take created within the tolerance on both sides, and nothing beyond (F02)", () => {
    for (const created of [now - 300, now, now + 300])
      expect(wordOf(check(signed({ created })))).toBe("ed25519");
    expect(reasonOf(signed({ created: now - 301 }))).toMatch(
      /^timestamp: .* 301 s behind our clock; 300 s are allowed/,
    );
    expect(reasonOf(signed({ created: now + 301 }))).toMatch(/^timestamp: .* 301 s ahead of our clock/);
    expect(reasonOf(signed({ created: undefined }))).toMatch(/^malformed: it has no created/);
    for (const created of [0, -now, now * 1_000])
      expect(reasonOf(signed({ created }))).toMatch(/^timestamp: /);
  });

  it("honour expires, to the second", () => {
    expect(wordOf(check(signed({ expires: now + 1 })))).toBe("ed25519");
    expect(wordOf(check(signed({ expires: now }), { at: now * 1_000 }))).toBe("ed25519");
    expect(reasonOf(signed({ expires: now }))).toMatch(/^timestamp: its expires has passed/);
    expect(reasonOf(signed({ created: now + 10, expires: now + 9 }))).toMatch(/^timestamp: its expires/);
  });

  it.each([
    ["keyid", ';keyid="ed25519"', ";keyid=ed25519", /^malformed: its parameter keyid is not a string/],
    ["created", `;created=${now}`, `;created="${now}"`, /^malformed: it has no created/],
    ["created", `;created=${now}`, `;created=${now}.0`, /^malformed: it has no created/],
    ["expires", ";keyid", ";expires=1.5;keyid", /^malformed: its expires is not a whole number/],
    ["alg", ";keyid", ";alg=ed25519;keyid", /^malformed: its parameter alg is not a string/],
    ["nonce", ";keyid", ";nonce;keyid", /^malformed: its parameter nonce is not a string/],
    ["tag", ";keyid", ";tag=1;keyid", /^malformed: its parameter tag is not a string/],
    ["keyid", ';keyid="ed25519"', "", /^malformed: it has no keyid/],
  ])("refuse a %s of another type (%s)", (_, from, to, reason) => {
    const headers = signed();
    expect(reasonOf({ ...headers, "signature-input": headers["signature-input"].replace(from, to) })).toMatch(
      reason,
    );
  });

  it("name the unknown keyid, escaped and cut (A09, I02)", () => {
    expect(reasonOf(signed({ keyId: `x${"y".repeat(200)}` }))).toMatch(
      /^mismatch: no key with the id "xy+… \(201 characters\)"/,
    );
    for (const keyId of ["__proto__", "constructor", ""]) {
      expect(reasonOf(signed({ keyId }))).toMatch(/^mismatch: no key with the id/);
    }
  });

  it("never choose the algorithm by the message (A03)", () => {
    expect(wordOf(check(signed({ alg: true })))).toBe("ed25519");
    const headers = signed({ alg: true });
    const renamed = headers["signature-input"].replace('alg="ed25519"', 'alg="hmac-sha256"');
    expect(reasonOf({ ...headers, "signature-input": renamed })).toMatch(
      /^mismatch: its alg is not "ed25519"/,
    );
    // Signed with the public key as the secret of an HMAC.
    const pem = createPublicKey(rsa.privateKey).export({ type: "spki", format: "pem" });
    const forged = {
      keyId: "rsa-v1_5-sha256",
      algorithm: "hmac-sha256",
      key: secretKey(pem).key,
      alg: true,
    } as const;
    expect(wordOf(check(signed(forged)))).toBe("mismatch");
    expect(wordOf(check(signed({ ...forged, alg: false })))).toBe("mismatch");
  });

  it("ask for the tag where one is configured, and pass others over", () => {
    const asks = { with: { tag: "app" } };
    expect(wordOf(check(signed({ tag: "app" }), asks))).toBe("ed25519");
    expect(reasonOf(signed(), asks)).toMatch(/^malformed: it lacks tag="app"/);
    expect(reasonOf(signed({ tag: "App" }), asks)).toMatch(/lacks tag/);
    expect(wordOf(check(joined(signed({ tag: "x", label: "x" }), signed({ tag: "app" })), asks))).toBe(
      "ed25519",
    );
    expect(wordOf(check(signed({ tag: "x" })))).toBe("ed25519");
  });

  it("take nonce and parameters that are not known, as they are signed", () => {
    expect(wordOf(check(signed({ nonce: "abc" })))).toBe("ed25519");
  });

  it("refuse components that are repeated, too many or not known", () => {
    const change = (edit: (input: string) => string) => {
      const headers = signed();
      return reasonOf({ ...headers, "signature-input": edit(headers["signature-input"]) });
    };
    expect(change((input) => input.replace("(", '("@method" '))).toMatch(/covers a component twice/);
    expect(change((input) => input.replace("(", '("x";key="a";sf "x";sf;key="a" '))).toMatch(
      /covers a component twice/,
    );
    expect(change((input) => input.replace("(", '("@status" '))).toMatch(/belongs to answers/);
    expect(change((input) => input.replace("(", "(token "))).toMatch(/not a string/);
    const many = Array.from({ length: 33 }, (_, at) => `"h${at}"`).join(" ");
    expect(change((input) => input.replace("(", `(${many} `))).toMatch(/more than 32 components/);
    expect(change((input) => input.replace("(", '("x-absent" '))).toMatch(
      /^malformed: the header x-absent is missing/,
    );
  });

  it("ask for what is required, in any order and with more (F09)", () => {
    expect(
      wordOf(check(signed({ components: [...components, "date"].reverse() }, { headers: { date: "d" } }))),
    ).toBe("ed25519");
    expect(wordOf(check(signed({ components: ["@target-uri", "@method", "content-digest"] })))).toBe(
      "ed25519",
    );
    expect(reasonOf(signed({ components: ["@method"] }))).toMatch(
      /^malformed: it does not cover "@authority", "@path", "content-digest"$/,
    );
    for (const left of components) {
      const rest = components.filter((each) => each !== left);
      expect(reasonOf({ ...signed(), ...signed({ components: rest }) })).toMatch(
        /^malformed: it does not cover/,
      );
    }
  });

  it("ask for the digest of a body, not of none, unless told to", () => {
    const bare = signed({ components: components.slice(0, 3) }, { body: "" });
    expect(wordOf(check(bare, { text: "" }))).toBe("ed25519");
    expect(wordOf(check(bare, { text: body }))).toBe("malformed");
    const required = [...scheme.required, "content-digest"];
    expect(wordOf(check(bare, { text: "", with: { required } }))).toBe("malformed");
    expect(wordOf(check(signed({}, { body: "" }), { text: "", with: { required } }))).toBe("ed25519");
    expect(wordOf(check(bare, { text: body, with: { required, insecureUnsignedBody: true } }))).toBe(
      "malformed",
    );
    expect(wordOf(check(bare, { text: body, with: { insecureUnsignedBody: true } }))).toBe("ed25519");
  });

  it.each([
    '"content-digest"',
    '"content-digest";sf',
    '"content-digest";bs',
    '"content-digest";key="sha-256"',
  ])("take %s for the body", (digest) => {
    const headers = signed({ components: [...components.slice(0, 3), digest] });
    expect(wordOf(check(headers))).toBe("ed25519");
    expect(reasonOf(headers, { text: body.replace("a", "b") })).toMatch(
      /^mismatch: the body does not match its sha-256/,
    );
  });

  it("do not take a member of the digest that anyone can forge for the body", () => {
    const headers = {
      "content-digest": `md5=:AAAA:, sha-256=:${createHash("sha256").update(body).digest("base64")}:`,
    };
    const covered = [...components.slice(0, 3), '"content-digest";key="md5"'];
    expect(reasonOf(signed({ components: covered }, { headers }))).toMatch(/does not cover "content-digest"/);
  });

  it("refuse a digest that is there and wrong, even where it is not asked for", () => {
    const bare = signed({ components: components.slice(0, 3) });
    const lenient = { with: { insecureUnsignedBody: true } };
    expect(reasonOf({ ...bare, "content-digest": "md5=:AAAA:" }, lenient)).toMatch(
      /^malformed: .* no digest that counts/,
    );
    expect(reasonOf({ ...bare, "content-digest": "sha-256=:AAAA:" }, lenient)).toMatch(/^mismatch: the body/);
    const long = `md5=:${"A".repeat(8_192)}:`;
    expect(reasonOf({ ...bare, "content-digest": long }, lenient)).toMatch(/^malformed: .* longer than 8192/);
  });

  it("say that a key is inactive or outside its lifetime only where it signed (C08)", () => {
    const [first] = scheme.keys.filter(({ id }) => id === "ed25519") as [MessageKey];
    const ended = { ...first, expiresAtMs: nowMs };
    for (const key of [ended, { ...first, active: false }, { ...first, notBeforeMs: nowMs + 1 }]) {
      expect(reasonOf(signed(), { with: { keys: [key] } })).toMatch(
        /^mismatch: .* inactive or outside its lifetime/,
      );
    }
    expect(
      wordOf(
        check(signed(), { with: { keys: [{ ...ended, notBeforeMs: nowMs - 1, expiresAtMs: nowMs + 1 }] } }),
      ),
    ).toBe("ed25519");
    expect(reasonOf({ ...signed(), signature: "sig1=:AAAA:" }, { with: { keys: [ended] } })).toMatch(
      /does not match/,
    );
  });

  it("are not moved to another receiver, path or method (F10, E26)", () => {
    const headers = signed();
    expect(wordOf(check(headers, { with: { publicUrl: "https://other.example.com" } }))).toBe("mismatch");
    const gate = createSignatureGate(scheme, "signature");
    const send = (more: { url?: string; method?: string }, sent: SentHeaders = headers) =>
      wordOf(gate(requestOf(sent, body, { url: "/hooks", ...more }), nowMs) as never);
    expect(send({})).toBe("ed25519");
    expect(send({ url: "/other" })).toBe("mismatch");
    expect(send({ method: "PUT" })).toBe("mismatch");
    expect(send({ url: "http://evil.example/hooks" }, { ...headers, host: "evil.example" })).toBe("ed25519");
  });
});

describe("a scheme of http-message signatures that cannot be meant", () => {
  const build = (changed: object) => () =>
    createSignatureGate({ ...scheme, ...changed } as MessageScheme, "signature");
  const [first] = scheme.keys as [MessageKey];
  it.each([
    [{ keys: [] }, /signature\.keys is empty/],
    [{ keys: [first, first] }, /two keys with the id "hmac-sha256"/],
    [{ keys: [{ ...first, algorithm: "none" }] }, /keys\[0\]\.algorithm must be one of hmac-sha256/],
    [{ keys: [{ ...first, algorithm: "ed25519" }] }, /another kind than ed25519 needs/],
    [{ keys: [keyOf("a", "hmac-sha256", rsa.publicKey)] }, /another kind than hmac-sha256 needs/],
    [{ keys: [keyOf("a", "rsa-pss-sha512", rsa.privateKey)] }, /another kind/],
    [{ keys: [keyOf("a", "ecdsa-p384-sha384", p256.publicKey)] }, /another kind than ecdsa-p384-sha384/],
    [{ keys: [keyOf("a", "ed25519", p256.publicKey)] }, /another kind/],
    [{ required: ["@nothing"] }, /required\[0\]: .*not a known derived component/],
    [{ required: [""] }, /required\[0\] must be a string/],
    [{ required: [5] }, /required\[0\] must be a string/],
    [{ publicUrl: undefined }, /required\[1\] is @authority, which publicUrl alone can tell/],
    [{ tag: "" }, /signature\.tag must be a string/],
    [{ tolerance: "0s" }, /tolerance must be a duration such as "10s", from "1s" to "1h"/],
    [{ tolerance: "3601s" }, /tolerance/],
    [{ tolerance: Number.NaN }, /tolerance/],
    [{ tolerance: 300 }, /tolerance/],
    [{ publicUrl: "hooks.example.com" }, /publicUrl must be an origin/],
  ])("is refused: %j", (changed, reason) => {
    expect(build(changed)).toThrow(reason);
    expect(build(changed)).toThrow(TypeError);
  });

  it("needs no publicUrl where nothing that is required needs it, and then refuses what does (E26)", () => {
    const changed = { with: { publicUrl: undefined, required: ["@method", "@path"] } };
    expect(wordOf(check(signed({ components: ["@method", "@path", "content-digest"] }), changed))).toBe(
      "ed25519",
    );
    expect(reasonOf(signed(), changed)).toMatch(
      /^malformed: @authority is covered, which the option publicUrl/,
    );
  });
});

const digested = Buffer.from('{"hello": "world"}');
const digest = (hash: string, of: Uint8Array = digested) =>
  `:${createHash(hash).update(of).digest("base64")}:`;
const sha256 = `sha-256=${digest("sha256")}`;
const sha512 = `sha-512=${digest("sha512")}`;

describe("contentDigestFault", () => {
  it("takes the published digests (RFC 9530 section 2, RFC 9421 section 7.2.8)", () => {
    expect(
      contentDigestFault("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", digested),
    ).toBeUndefined();
    expect(
      contentDigestFault(
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        digested,
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
    expect(contentDigestFault(field, digested)).toBeUndefined();
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
      `sha-256=:${createHash("sha256").update(digested).digest().subarray(1).toString("base64")}:`,
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
    ["hex", `sha-256=:${createHash("sha256").update(digested).digest("hex")}:`, "mismatch"],
    ["base64url", `sha-256=:${createHash("sha256").update(digested).digest("base64url")}:`, "malformed"],
    ["an upper-case name", sha256.replace("sha", "SHA"), "malformed"],
  ])("refuses %s (F09)", (_, field, fault) => {
    expect(contentDigestFault(field, digested)).toMatchObject({ fault });
  });
});
