import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { verify } from "@octokit/webhooks-methods";
import twilio from "twilio";
import { main } from "../../../src/cli/run.js";
import { sourceNames } from "../../../src/cli/send-sources.js";

const secret = "f0d1c2b3a495867768594a3b2c1d0e0f";
const now = Date.parse("2026-03-01T12:00:00Z");

/** A request as the server saw it. */
interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

let folder: string;
let url: string;
let server: Server;
let received: Received[];
let respond: RequestListener;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-send-"));
  received = [];
  respond = (_request, response) => response.end('{"status":"handled"}');
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const body = Buffer.concat(chunks).toString();
      received.push({ method, url: path, headers: headers as Record<string, string>, body });
      respond(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

const environment: Record<string, string> = { SECRET: secret, KEY: "service-key-value", TOKEN: "a.b.c" };

async function send(args: readonly string[], stdin = "") {
  let [out, err] = ["", ""];
  const code = await main(["send", ...args], {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    stdin: () => Buffer.from(stdin),
    environment: {
      variable: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
    },
    clock: { now: () => now, after: () => () => {} },
    cwd: folder,
  });
  return { code, out, err };
}

const push = () => ["--source", "github", "--type", "push", "--url", `${url}/hooks?a=1`];
const github = () => [...push(), "--secret-env", "SECRET"];

describe("hookgate send", () => {
  it("sends a signed delivery and prints the answer", async () => {
    const { code, out, err } = await send([...github(), "--data", '{"ref":"main"}', "--id", "d-1"]);
    expect([code, out]).toEqual([0, '{"status":"handled"}\n']);
    expect(err).toMatch(/^github: push, id d-1, 14 bytes\n200 OK after \d+ ms\n$/);
    const [request] = received;
    expect(request).toMatchObject({ method: "POST", url: "/hooks?a=1", body: '{"ref":"main"}' });
    expect(request?.headers).toMatchObject({
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": "d-1",
      "user-agent": "hookgate-send",
    });
    const signature = request?.headers["x-hub-signature-256"] ?? "";
    expect(await verify(secret, request?.body ?? "", signature)).toBe(true);
  });

  it("takes data and secret from files, standard input, and bodies as they are", async () => {
    writeFileSync(join(folder, "push.json"), ' {"ref": "file"}\n');
    writeFileSync(join(folder, "secret.txt"), `${secret}\r\n`);
    const fromFile = ["--secret-file", "secret.txt"];
    expect((await send([...push(), ...fromFile, "--data", "@push.json"])).code).toBe(0);
    expect((await send([...push(), ...fromFile, "--body", "@push.json"])).code).toBe(0);
    expect((await send([...push(), ...fromFile, "--data", "-"], '{"ref":"in"}')).code).toBe(0);
    expect((await send([...github(), "--body", "a=1", "--content-type", "text/plain"])).code).toBe(0);
    expect((await send(github())).code).toBe(0);
    const bodies = ['{"ref":"file"}', ' {"ref": "file"}\n', '{"ref":"in"}', "a=1", "{}"];
    expect(received.map(({ body }) => body)).toEqual(bodies);
    expect(received[3]?.headers["content-type"]).toBe("text/plain");
    for (const { body, headers } of received) {
      expect(await verify(secret, body, headers["x-hub-signature-256"] ?? "")).toBe(true);
    }
  });

  it("sends the receiver's own credentials and further headers", async () => {
    const cloud = ["--source", "cloudevents", "--type", "com.example.made", "--url", url];
    await send([...cloud, "--key-env", "KEY", "--token-env", "TOKEN", "--header", "X-Trace:  t-1 "]);
    await send([...cloud, "--key-env", "KEY", "--key-header", "X-Api-Key"]);
    expect(received[0]?.headers).toMatchObject({
      key: "service-key-value",
      authorization: "Bearer a.b.c",
      "x-trace": "t-1",
    });
    expect(received[1]?.headers["x-api-key"]).toBe("service-key-value");
  });

  it("ends with 1 where an answer is not 2xx, and prints it without what a terminal obeys", async () => {
    respond = (_request, response) => response.writeHead(401).end("no\u001b[31m\u009b\u2028\n\tway");
    const { code, out, err } = await send(github());
    expect([code, out]).toEqual([1, "no\\u001b[31m\\u009b\\u2028\n\tway\n"]);
    expect(err).toContain("401 Unauthorized after");
    respond = (_request, response) => response.writeHead(302, { location: "/elsewhere" }).end();
    expect(await send(github())).toMatchObject({ code: 1, out: "" });
    expect(received).toHaveLength(2);
  });

  it("ends with 1 where nobody answers, or not as soon as the sender wants", async () => {
    respond = (request) => request.socket.destroy();
    expect(await send(github())).toMatchObject({
      code: 1,
      err: expect.stringMatching(/failed after \d+ ms: /),
    });
    respond = () => undefined;
    writeFileSync(
      join(folder, "hasty.mjs"),
      `export const hasty = { name: "hasty", bodies: ["json"], headers: [], deadline: "50ms", events: () => [],
        compose: () => ({ headers: {}, contentType: "application/json", body: "{}" }) };`,
    );
    expect(await send(["--source", "./hasty.mjs", "--type", "a", "--url", url])).toMatchObject({
      code: 1,
      err: expect.stringContaining("no answer within 50 ms, which is how long this sender waits"),
    });
  });

  it("signs the URL that the receiver believes to be called under", async () => {
    const line = [
      "--source",
      "twilio",
      "--type",
      "message.received",
      "--url",
      `${url}/sms`,
      "--secret-env",
      "SECRET",
    ];
    await send([...line, "--public-url", "https://hooks.example.com"]);
    await send(line);
    const valid = received.map(({ body, headers }) =>
      ["https://hooks.example.com/sms", `${url}/sms`].map((called) => {
        const fields = Object.fromEntries(new URLSearchParams(body));
        return twilio.validateRequest(secret, headers["x-twilio-signature"] ?? "", called, fields);
      }),
    );
    expect(valid).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it("sends the same delivery several times, and counts a single failure", async () => {
    expect((await send([...github(), "--repeat", "3"])).code).toBe(0);
    expect(received).toHaveLength(3);
    expect(new Set(received.map((request) => JSON.stringify([request.body, request.headers]))).size).toBe(1);
    respond = (_request, response) => response.writeHead(received.length === 4 ? 500 : 200).end();
    expect((await send([...github(), "--repeat", "2"])).code).toBe(1);
    expect(received).toHaveLength(5);
  });

  it("breaks the signature alone where it is asked to", async () => {
    await send([...github(), "--id", "d-1", "--data", "[1]"]);
    await send([...github(), "--id", "d-1", "--data", "[1]", "--tamper"]);
    const [whole, broken] = received;
    const signature = broken?.headers["x-hub-signature-256"] ?? "";
    expect(signature).toMatch(/^sha256=[0-9a-f]{64}$/);
    expect(await verify(secret, "[1]", signature)).toBe(false);
    expect({ ...broken?.headers, "x-hub-signature-256": "" }).toEqual({
      ...whole?.headers,
      "x-hub-signature-256": "",
    });
  });

  it("prints what it would send, without the receiver's credentials, and sends nothing", async () => {
    const more = ["--id", "d-1", "--dry-run", "--key-env", "KEY", "--token-env", "TOKEN"];
    const { code, out } = await send([...github(), ...more]);
    expect(code).toBe(0);
    expect(out).toMatch(/^POST http:\/\/127\.0\.0\.1:\d+\/hooks\?a=1\ncontent-type: application\/json\n/);
    expect(out).toMatch(
      /x-hub-signature-256: sha256=[0-9a-f]{64}\nkey: \(KEY\)\nauthorization: Bearer \(TOKEN\)\n\n\{\}\n$/,
    );
    for (const hidden of [secret, "service-key-value", "a.b.c"]) expect(out).not.toContain(hidden);
    expect(received).toEqual([]);
  });

  it("sends for a source of one's own, from its module", async () => {
    const source = (name: string) =>
      `{ name: "${name}", bodies: ["json"], headers: [], deadline: "1s", events: () => [],
         compose: ({ type }) => ({ headers: { "x-type": type }, contentType: "a/b", body: "${name}" }) }`;
    writeFileSync(join(folder, "one.mjs"), `export const one = ${source("one")}; export const other = 1;`);
    writeFileSync(
      join(folder, "two.mjs"),
      `export const a = ${source("a")}; export const b = ${source("b")};`,
    );
    writeFileSync(join(folder, "none.mjs"), "export const a = {};");
    const from = (name: string) => send(["--source", name, "--type", "t", "--url", url]);
    expect((await from("./one.mjs")).code).toBe(0);
    expect((await from("two.mjs#b")).code).toBe(0);
    expect(received).toMatchObject([
      { body: "one", headers: { "content-type": "a/b", "x-type": "t" } },
      { body: "b" },
    ]);
    expect(await from("two.mjs")).toMatchObject({
      code: 1,
      err: expect.stringContaining("name one of the sources: two.mjs#a, two.mjs#b"),
    });
    expect((await from("two.mjs#c")).code).toBe(1);
    expect((await from("none.mjs")).err).toContain("exports no source");
    expect((await from("missing.mjs")).err).toContain("cannot be imported");
  });
});

describe("hookgate send, for each source", () => {
  const pem = (key: { export(options: { format: "pem"; type: "pkcs8" }): string | Buffer }) =>
    key.export({ format: "pem", type: "pkcs8" }).toString();
  const keys: Record<string, string> = {
    rsa: pem(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey),
    ec: pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    ec384: pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey),
    ed25519: pem(generateKeyPairSync("ed25519").privateKey),
  };
  const bySecret = ["--secret-env", "SECRET"];
  const byKey = (name: string) => ["--private-key-file", `${name}.pem`];
  const cases: [source: string, type: string, proof: string | undefined, options: readonly string[]][] = [
    ["atlassian-connect", "jira:issue_updated", "authorization", [...bySecret, "--issuer", "client-1"]],
    ["cloudevents", "com.example.made", undefined, []],
    ["github", "push", "x-hub-signature-256", bySecret],
    ["google-pubsub", "order.paid", "authorization", [...byKey("rsa"), "--account", "a@example.com"]],
    ["http-signature", "a.b", "signature", bySecret],
    ["http-signature", "a.b", "signature", [...byKey("rsa"), "--key-id", "k"]],
    ["http-signature", "a.b", "signature", byKey("ec")],
    ["http-signature", "a.b", "signature", byKey("ec384")],
    ["http-signature", "a.b", "signature", byKey("ed25519")],
    ["plaid", "TRANSACTIONS.READY", "plaid-verification", [...byKey("ec"), "--key-id", "k"]],
    ["shopify", "orders.create", "x-shopify-hmac-sha256", bySecret],
    ["slack", "app_mention", "x-slack-signature", bySecret],
    ["standard-webhooks", "a.b", "webhook-signature", bySecret],
    ["standard-webhooks", "a.b", "webhook-signature", byKey("ed25519")],
    ["stripe", "invoice.paid", "stripe-signature", bySecret],
    ["svix", "a.b", "svix-signature", bySecret],
    ["twilio", "message.received", "x-twilio-signature", [...bySecret, "--public-url", "https://a.example"]],
    ["vonage", "message.received", "authorization", bySecret],
    ["webex", "messages.created", "x-spark-signature", bySecret],
    ["webex-connect", "inbound", "x-sig", [...bySecret, "--signature-header", "X-Sig"]],
    ["webex-connect", "inbound", undefined, []],
    ["webex-connect-events", "order", undefined, []],
    ["webex-connect-outbound", "receipt.sms.delivered", "x-hub-signature", bySecret],
    ["webex-connect-outbound", "receipt.sms.delivered", undefined, []],
  ];

  it("knows them all", () => {
    expect([...new Set(cases.map(([source]) => source))]).toEqual(sourceNames);
  });

  it.each(cases)("%s %s, proved by %s", async (source, type, proof, options) => {
    for (const [name, key] of Object.entries(keys)) writeFileSync(join(folder, `${name}.pem`), key);
    const line = ["--source", source, "--type", type, "--url", url, "--id", "id-1", ...options];
    const sent = await send(line);
    expect(sent).toMatchObject({ code: 0 });
    expect((await send([...line, "--tamper"])).code).toBe(proof === undefined ? 2 : 0);
    const [whole, tampered] = received.map(({ headers }) => headers[proof ?? ""]);
    if (proof === undefined) return;
    expect(whole).toEqual(expect.any(String));
    expect(tampered).not.toBe(whole);
  });
});

describe("hookgate send, misused", () => {
  it.each<[string, readonly string[], string]>([
    ["an unknown source", ["--source", "gihub"], 'there is no source "gihub"; did you mean "github"?'],
    ["a source nobody knows", ["--source", "zzzzzzzzzz"], "there is atlassian-connect, cloudevents, "],
    ["no source", [], "--source is missing"],
    ["no type", ["--source", "cloudevents"], "--type is missing"],
    ["no secret", ["--source", "github", "--type", "a"], "give --secret-env NAME or --secret-file PATH"],
    ["no private key", ["--source", "plaid", "--type", "a", "--key-id", "k"], "give --private-key-file PATH"],
    ["no key's id", ["--source", "plaid", "--type", "a"], "--key-id is missing"],
    ["no account", ["--source", "google-pubsub", "--type", "a"], "--account is missing"],
    ["no header", ["--source", "webex-connect", "--secret-env", "SECRET"], "--signature-header is missing"],
    ["two secrets", ["--source", "github", "--secret-env", "A", "--secret-file", "b"], "not both"],
    ["data and body", ["--source", "github", "--data", "{}", "--body", "{}"], "give --data"],
    [
      "data that is no JSON",
      ["--source", "cloudevents", "--type", "a", "--data", "{a"],
      "--data must be JSON",
    ],
    [
      "a header without name",
      ["--source", "cloudevents", "--type", "a", "--header", ": x"],
      "--header must be",
    ],
    [
      "a header of two lines",
      ["--source", "cloudevents", "--type", "a", "--header", "a: b\nc: d"],
      "--header",
    ],
    ["a count of nothing", ["--source", "cloudevents", "--repeat", "0"], "--repeat must be"],
    ["a secret as an argument", ["--source", "github", "--secret", "x"], "there is no option --secret"],
  ])("%s: ends with 2 and says what is wrong", async (_what, args, message) => {
    const { code, err } = await send([...args, "--url", url]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(received).toEqual([]);
  });

  it.each(["hooks", "ftp://a/b", "http://user@127.0.0.1/", "http://127.0.0.1/#a"])(
    "the URL %s",
    async (bad) => {
      const { code, err } = await send(["--source", "cloudevents", "--type", "a", "--url", bad]);
      expect([code, err]).toEqual([2, expect.stringContaining("--url must be such as")]);
    },
  );

  it("ends with 1 for secrets, keys and files that are not there, and shows none", async () => {
    writeFileSync(join(folder, "empty"), "\n");
    writeFileSync(join(folder, "bad.pem"), `-----BEGIN PRIVATE KEY-----\n${secret}\n`);
    const cases: [readonly string[], string][] = [
      [["--secret-env", "MISSING"], "the environment variable MISSING is not set"],
      [["--secret-file", "missing"], "--secret-file: missing cannot be read: ENOENT"],
      [["--secret-file", "empty"], "empty is empty"],
      [["--private-key-file", "bad.pem"], "the private key cannot be read"],
      [["--secret-env", "SECRET", "--data", "@missing"], "--data: missing cannot be read: ENOENT"],
      [["--secret-env", "SECRET", "--key-env", "MISSING"], "the environment variable MISSING"],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await send([...push(), ...args]);
      expect([code, err]).toEqual([1, expect.stringContaining(message)]);
      expect(err).not.toContain(secret);
    }
    expect(received).toEqual([]);
  });
});
