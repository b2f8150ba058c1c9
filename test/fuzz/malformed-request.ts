import { Random } from "./random.js";

/** What the requests are made of: where they go, and what would be let in. */
export interface Ground {
  readonly path: string;
  readonly key: string;
  /** Good for `boundBody` alone. */
  readonly boundToken: string;
  readonly boundBody: string;
  /** Good with the key. */
  readonly body: string;
}

/** Bytes for one connection, and how they came to be. */
export interface Attempt {
  readonly kind: string;
  readonly bytes: Buffer;
}

interface Parts {
  method: string;
  target: string;
  version: string;
  lines: string[];
  body: string;
}

/** The same attempt for the same seed and index. None of them is a request that a handler may get to see. */
export function malformed(ground: Ground, seed: number, index: number): Attempt {
  const random = new Random(seed * 1_000_003 + index);
  const kind = random.pick(Object.keys(kinds));
  const make = kinds[kind] as Make;
  return { kind, bytes: Buffer.from(make(ground, random), "latin1") };
}

/** One request that everything is right with, the only one on its connection. */
export function wellFormed(ground: Ground, bound: boolean): Buffer {
  const parts = bound ? boundParts(ground) : keyParts(ground);
  parts.lines.push("Connection: close");
  return Buffer.from(written(parts), "latin1");
}

type Make = (ground: Ground, random: Random) => string;

function keyParts({ path, key, body }: Ground): Parts {
  return {
    method: "POST",
    target: path,
    version: "HTTP/1.1",
    // The key stands in front: what runs into it when a line end is lost must not be a header that logs quote.
    lines: [
      `Key: ${key}`,
      "Host: hooks.test",
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ],
    body,
  };
}

function boundParts({ path, boundToken, boundBody }: Ground): Parts {
  return {
    method: "POST",
    target: path,
    version: "HTTP/1.1",
    lines: [
      `Authorization: Bearer ${boundToken}`,
      "Host: hooks.test",
      "Content-Type: application/json",
      `Content-Length: ${boundBody.length}`,
    ],
    body: boundBody,
  };
}

function written({ method, target, version, lines, body }: Parts): string {
  return `${method} ${target} ${version}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

/** Puts another line in the place of the one with this name. */
function withLine(parts: Parts, name: string, ...lines: string[]): string {
  const at = parts.lines.findIndex((line) => line.startsWith(`${name}:`));
  parts.lines.splice(at, 1, ...lines);
  return written(parts);
}

function anyParts(ground: Ground, random: Random): Parts {
  return random.once(2) ? keyParts(ground) : boundParts(ground);
}

const junk = [
  "\0",
  "\r",
  "\n",
  "\r\n",
  "\u0001",
  "\u007f",
  "\u0080",
  "\u00ff",
  "\t",
  " ",
  ":",
  ",",
  ";",
  '"',
  "{",
];
const anyByte = (random: Random): string => String.fromCharCode(random.below(256));
const noise = (random: Random, most: number): string =>
  Array.from({ length: random.below(most) + 1 }, () =>
    random.once(3) ? random.pick(junk) : anyByte(random),
  ).join("");

/** Every kind is wrong by construction, whatever the dice say. */
const kinds: Readonly<Record<string, Make>> = {
  method: (ground, random) => {
    const parts = anyParts(ground, random);
    parts.method = random.pick([
      "GET",
      "PUT",
      "post",
      "POSTS",
      "PO ST",
      "",
      "\0POST",
      "PRI",
      "BREW",
      "CONNECT",
      "TRACE",
    ]);
    return written(parts);
  },
  target: (ground, random) => {
    const parts = anyParts(ground, random);
    const { path } = ground;
    parts.target = random.pick([
      "",
      "*",
      "\0",
      `${path} ${path}`,
      `${path}\t`,
      `${path}/../x`,
      `/x${path}`,
      `${path}%00`,
      `${path}x`,
      "http://",
      "//",
      "hooks.test:80",
      `${path}?access_token=a`,
      `${path}?&access%5ftoken`,
      `/${noise(random, 9).replace(/[?]/g, "")}`,
    ]);
    return written(parts);
  },
  version: (ground, random) => {
    const parts = anyParts(ground, random);
    // Node's parser takes RTSP and ICE for HTTP, and the versions 0.9 and 2.0 for 1.1: these are not among them.
    parts.version = random.pick([
      "",
      "HTTP/3.0",
      "HTTP/1.2",
      "http/1.1",
      "HTTP/1.1 x",
      "HTTP/11",
      "HTTP/1.",
      "HTTPS/1.1",
    ]);
    return written(parts);
  },
  "header line": (ground, random) => {
    const parts = anyParts(ground, random);
    const line = random.pick([
      "X Y: 1",
      "X : 1",
      ": 1",
      "X",
      " folded: 1",
      "X\0: 1",
      "X: a\0b",
      "X: \u0001",
      "Bad\u00e9: 1",
      "X(: 1",
      `X: ${"a".repeat(20_000)}`,
      `${"X".repeat(20_000)}: 1`,
      ...["gzip", "br", "identity, gzip"].map((coding) => `Content-Encoding: ${coding}`),
      "Expect: 200-ok",
      Array.from({ length: 120 }, (_, at) => `X-${at}: 1`).join("\r\n"),
    ]);
    parts.lines.splice(random.below(parts.lines.length + 1), 0, line);
    return written(parts);
  },
  duplicate: (ground, random) => {
    const parts = anyParts(ground, random);
    // The credential, the type or the length: a second Host is Node's to refuse, and it does not.
    const at = random.pick([0, 2, 3]);
    const line = parts.lines[at] as string;
    const other = random.once(2) || at === 3 ? line : `${line.slice(0, line.indexOf(":"))}: other`;
    // Two equal lengths are one length to no one here.
    parts.lines.splice(random.below(parts.lines.length + 1), 0, at === 3 ? line.replace(/\d+$/, "9") : other);
    return written(parts);
  },
  "length and coding": (ground, random) => {
    const parts = anyParts(ground, random);
    const inner = written(keyParts(ground));
    const { length } = parts.body;
    const chunked = `${length.toString(16)}\r\n${parts.body}\r\n0\r\n\r\n`;
    const [lines, body] = random.pick<readonly [string[], string]>([
      [["Content-Length: 0", "Transfer-Encoding: chunked"], `0\r\n\r\n${inner}`],
      [["Transfer-Encoding: chunked", `Content-Length: ${length}`], chunked],
      [["Transfer-Encoding: xchunked"], chunked],
      [["Transfer-Encoding: chunked, identity"], chunked],
      [["Transfer-Encoding: identity"], chunked],
      [["Transfer-Encoding : chunked"], chunked],
      [["Transfer-Encoding:\u000bchunked"], chunked],
      [[`Content-Length: +${length}`], parts.body],
      [[`Content-Length: -${length}`], parts.body],
      [[`Content-Length: ${length}, ${length}`], parts.body],
      [[`Content-Length: 0x${length.toString(16)}`], parts.body],
      [[`Content-Length: ${"9".repeat(25)}`], parts.body],
      [["Content-Length: 300000"], parts.body],
      [[`Content-Length: ${length + 1}`], parts.body],
      [[`Content-Length: ${length - 1}`], parts.body],
      [["Content-Length:"], parts.body],
      [[], parts.body],
      [["Transfer-Encoding: chunked"], `${"f".repeat(17)}\r\n${parts.body}`],
      [["Transfer-Encoding: chunked"], `-1\r\n${parts.body}`],
      [["Transfer-Encoding: chunked"], `${length.toString(16)}\n${parts.body}\n0\n\n`],
      [
        ["Transfer-Encoding: chunked"],
        `${length.toString(16)};${"e".repeat(20_000)}\r\n${parts.body}\r\n0\r\n\r\n`,
      ],
      [["Transfer-Encoding: chunked"], `${(length + 5).toString(16)}\r\n${parts.body}\r\n0\r\n\r\n`],
      [["Transfer-Encoding: chunked"], chunked.slice(0, -6)],
    ]);
    parts.body = body;
    return withLine(parts, "Content-Length", ...lines);
  },
  truncated: (ground, random) => {
    const whole = written(anyParts(ground, random));
    return whole.slice(0, 1 + random.below(whole.length - 1));
  },
  "garbage behind a refusal": (ground, random) => {
    const parts = keyParts(ground);
    const refused = withLine(parts, "Key", "Key: wrong");
    return refused + noise(random, 400);
  },
  "a request within a refused body": (ground, random) => {
    const parts = keyParts(ground);
    parts.body = written(keyParts(ground)).repeat(1 + random.below(3));
    const length = String(random.pick([parts.body.length, 70_000, 250_000]));
    parts.lines[3] = `Content-Length: ${length}`;
    return withLine(parts, "Key", "Key: wrong");
  },
  NULs: (ground, random) => {
    const parts = anyParts(ground, random);
    const whole = written(parts);
    const head = whole.length - parts.body.length;
    const at = random.below(head);
    return whole.slice(0, at) + "\0".repeat(1 + random.below(4)) + whole.slice(at + random.below(2));
  },
  credential: (ground, random) => {
    const wrong = wrongCredential(ground, random);
    return withLine(keyParts(ground), "Key", ...wrong);
  },
  "content type": (ground, random) => {
    const type = random.pick([
      "text/plain",
      "application/jsonx",
      "application/json, text/html",
      "application/json; charset=utf-16",
      "multipart/form-data; boundary=x",
      "",
      "application/json\t;",
      '"application/json"',
      "application/x-www-form-urlencoded",
    ]);
    return withLine(anyParts(ground, random), "Content-Type", `Content-Type: ${type}`);
  },
  body: (ground, random) => {
    const parts = keyParts(ground);
    parts.body = wrongBody(ground, random);
    return withLine(parts, "Content-Length", `Content-Length: ${parts.body.length}`);
  },
  "a byte of a bound body": (ground, random) => {
    const parts = boundParts(ground);
    const at = random.below(parts.body.length);
    const other = String.fromCharCode((parts.body.charCodeAt(at) + 1 + random.below(255)) % 256);
    parts.body = parts.body.slice(0, at) + other + parts.body.slice(at + 1);
    return written(parts);
  },
  "a byte of a token": (ground, random) => {
    const parts = boundParts(ground);
    const start = "Authorization: Bearer ".length;
    const line = parts.lines[0] as string;
    const at = start + random.below(line.length - start);
    const other = String.fromCharCode((line.charCodeAt(at) + 1 + random.below(255)) % 256);
    // A tab or space at the end would be taken off by the parser, and a token without its end is wrong as well.
    parts.lines[0] = line.slice(0, at) + other + line.slice(at + 1);
    return written(parts);
  },
  noise: (_ground, random) => noise(random, 2000),
  "noise behind a good line": ({ path }, random) => `POST ${path} HTTP/1.1\r\n${noise(random, 600)}\r\n\r\n`,
  "TLS and other protocols": (_ground, random) =>
    random.pick([
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
      "\r\n".repeat(50),
      "EHLO hooks.test\r\n",
      "*1\r\n$4\r\nPING\r\n",
      "SSH-2.0-x\r\n",
    ]) + noise(random, 20),
};

function wrongCredential({ key, boundToken }: Ground, random: Random): string[] {
  const at = random.below(key.length);
  return random.pick<string[]>([
    [],
    ["Key:"],
    ["Key: undefined"],
    [`Key: ${key.slice(0, at)}${anyByte(random).replace(key.charAt(at), "#")}${key.slice(at + 1)}`],
    [`Key: ${key.slice(0, -1)}`],
    [`Key: ${key}x`],
    [`Key: ${key}, ${key}`],
    [`Key: ${key}`, `Key: ${key}`],
    [`Key: ${key.toUpperCase()}`],
    [`Key: "${key}"`],
    [`Key: \u00a0${key}`],
    [`Key: ${"k".repeat(9000)}`],
    [`X-Key: ${key}`],
    [`Proxy-Authorization: ${key}`],
    [`Authorization: Basic ${key}`],
    ["Authorization: Bearer", `Key: ${key}`],
    [`Authorization: Bearer ${boundToken}.`, `Key: ${key}`],
    [`Authorization: Bearer ${boundToken}`, `Authorization: Bearer ${boundToken}`],
    [`Authorization: Bearer  ${boundToken}`],
    ["Authorization: Bearer e30.e30.e30", `Key: ${key}`],
    [`Authorization: Bearer ${"a".repeat(8193)}`, `Key: ${key}`],
    ["Authorization: \u00e9", `Key: ${key}`],
  ]);
}

function wrongBody({ body }: Ground, random: Random): string {
  const at = 1 + random.below(body.length - 2);
  return random
    .pick([
      "",
      " \r\n",
      body.slice(0, at),
      body.slice(at),
      `${body}${body}`,
      `\u00ef\u00bb\u00bf${body}`,
      body.replace("{", '{"type":"x",'),
      body.replace("{", '{"\u00ff":1,'),
      body.replace("{", `{"a":${"[".repeat(90)}${"]".repeat(90)},`),
      body.replace("{", '{"n":1e999,'),
      body.replace("{", "{"),
      [...body].map((char) => `${char}\0`).join(""),
      "null",
      "[]",
      '"order.paid"',
      '{"type":7}',
      '{"type":""}',
      '{"id":"x"}',
      body.replace('"orderId":', '"orderId":7,"x":'),
      "type=order.paid&orderId=x",
      "<order/>",
      noise(random, 300),
    ])
    .replace(new RegExp(`^${body.replace(/[^\w]/g, "\\$&")}$`), "{");
}
