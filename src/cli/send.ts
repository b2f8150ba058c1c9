import { createPrivateKey, type KeyObject, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { millisecondsOf } from "../lib/duration.js";
import { parseJson } from "../lib/json.js";
import { printable } from "../lib/printable.js";
import { type SignedDelivery, signedDelivery } from "../signatures/sign.js";
import type { Source } from "../types/source.js";
import {
  type CommandIo,
  type ExitCode,
  misused,
  type OptionValues,
  readOptions,
  refused,
  required,
} from "./command.js";
import { namedSource, type SourceSettings } from "./send-sources.js";

const kinds = {
  source: "text",
  type: "text",
  url: "text",
  data: "text",
  body: "text",
  "content-type": "text",
  id: "text",
  "secret-env": "text",
  "secret-file": "text",
  "private-key-env": "text",
  "private-key-file": "text",
  "key-id": "text",
  "key-env": "text",
  "key-header": "text",
  "token-env": "text",
  header: "texts",
  "public-url": "text",
  "signature-header": "text",
  issuer: "text",
  audience: "text",
  account: "text",
  repeat: "text",
  tamper: "switch",
  "dry-run": "switch",
} as const;

type Options = OptionValues<typeof kinds>;

/** `hookgate send`: a delivery as a sender would send it, signed, over a socket. 0 where every answer is 2xx. */
export async function send(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, kinds);
  const url = parseUrl(required(options.url, "url"));
  const repeat = parseRepeat(options.repeat);
  if (options.data !== undefined && options.body !== undefined) {
    throw misused("give --data, which the source makes a body of, or --body, which is sent as it is");
  }
  const name = required(options.source, "source");
  const settings = readSettings(options, url, io);
  const source = isModule(name) ? await loadSource(name, io) : namedSource(name, settings);
  const signed = await sign(source, name, { options, url, settings, io });
  const delivery = options.tamper ? tampered(signed, source) : signed;
  const credentials = readCredentials(options, io);
  if (options["dry-run"]) {
    io.stdout(describeDelivery(url, delivery, credentials.shown));
    return 0;
  }
  let allTaken = true;
  for (let count = 0; count < repeat; count++) {
    const answer = {
      url,
      delivery,
      credentials: credentials.headers,
      deadlineMs: millisecondsOf(source.deadline) ?? 0,
    };
    allTaken = (await sendOnce(answer, io)) && allTaken;
  }
  return allTaken ? 0 : 1;
}

async function sign(
  source: Source<never>,
  name: string,
  given: {
    readonly options: Options;
    readonly url: URL;
    readonly settings: SourceSettings;
    readonly io: CommandIo;
  },
): Promise<SignedDelivery> {
  const { options, url, settings, io } = given;
  const type = required(options.type, "type");
  const id = options.id ?? randomUUID();
  const body = options.body === undefined ? undefined : readContent(options.body, "--body", io);
  const data = body === undefined ? readData(options.data, io) : undefined;
  const svix: Record<string, string> = name === "svix" ? { "svix-id": id } : {};
  const delivery = await signedDelivery(
    source,
    { type, id, data },
    {
      now: new Date(io.clock.now()),
      path: `${url.pathname}${url.search}`,
      headers: { "user-agent": "hookgate-send", ...svix, ...readHeaders(options.header) },
      contentType: options["content-type"],
      body,
      privateKey: settings.privateKey,
      // Shared secrets have no name on the command line; one of a module's may be named.
      keyId: settings.privateKey === undefined && !isModule(name) ? undefined : settings.keyId,
      issuer: options.issuer,
    },
  );
  io.stderr(`${source.name}: ${type}, id ${id}, ${delivery.body.length} bytes\n`);
  return delivery;
}

function readSettings(options: Options, url: URL, io: CommandIo): SourceSettings {
  const secret = { env: options["secret-env"], file: options["secret-file"] };
  const privateKey = { env: options["private-key-env"], file: options["private-key-file"] };
  return {
    secret: readSecret("secret", secret, io),
    privateKey: readPrivateKey(readSecret("private-key", privateKey, io)),
    keyId: options["key-id"],
    publicUrl: options["public-url"] ?? url.origin,
    url: url.href,
    signatureHeader: options["signature-header"],
    issuer: options.issuer,
    audience: options.audience,
    account: options.account,
  };
}

/** Credentials of the receiver's own, and how a person is told of them. */
function readCredentials(
  options: Options,
  io: CommandIo,
): { readonly headers: Readonly<Record<string, string>>; readonly shown: Readonly<Record<string, string>> } {
  const headers: Record<string, string> = {};
  const shown: Record<string, string> = {};
  const [key, token] = [options["key-env"], options["token-env"]];
  if (key !== undefined) {
    const name = (options["key-header"] ?? "key").toLowerCase();
    headers[name] = variable(key, io);
    shown[name] = `(${key})`;
  }
  if (token !== undefined) {
    headers.authorization = `Bearer ${variable(token, io)}`;
    shown.authorization = `Bearer (${token})`;
  }
  return { headers, shown };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.hash === "")
    return url;
  throw misused("--url must be such as http://127.0.0.1:3000/hooks, without a user and #");
}

function parseRepeat(text: string | undefined): number {
  if (text === undefined) return 1;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw misused("--repeat must be a number from 1 to 9999");
  return Number(text);
}

function isModule(name: string): boolean {
  return /[/\\#]|\.[cm]?[jt]s$/.test(name);
}

/** The source that a module exports: the only one, or the one named behind `#`. */
async function loadSource(name: string, io: CommandIo): Promise<Source<never>> {
  const [path = "", wanted] = name.split("#");
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(io.cwd, path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw refused(`${path} cannot be imported: ${(error as Error).message}`);
  }
  const found = Object.entries(module).filter(([, value]) => isSource(value));
  const [only] = wanted === undefined ? found : found.filter(([exported]) => exported === wanted);
  if (only === undefined || (wanted === undefined && found.length > 1)) {
    const names = found.map(([exported]) => `${path}#${exported}`);
    throw refused(
      names.length === 0
        ? `${path} exports no source, such as customSource makes`
        : `name one of the sources: ${names.join(", ")}`,
    );
  }
  return only[1] as Source<never>;
}

function isSource(value: unknown): boolean {
  const source = value as Partial<Source> | null | undefined;
  return typeof source?.events === "function" && millisecondsOf(source.deadline) !== undefined;
}

/** A secret that stands in a variable or a file, never on the command line, where every user of the machine sees it. */
export function readSecret(
  what: string,
  { env, file }: { readonly env: string | undefined; readonly file: string | undefined },
  io: CommandIo,
): string | undefined {
  if (env !== undefined && file !== undefined)
    throw misused(`give --${what}-env or --${what}-file, not both`);
  if (env !== undefined) return variable(env, io);
  if (file === undefined) return undefined;
  // Editors end a file with a line end that is no part of the secret.
  const text = readBytes(file, `--${what}-file`, io)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "") throw refused(`${file} is empty`);
  return text;
}

/** The value of an environment variable. CommandFailure 1 where it is not set. */
export function variable(name: string, io: CommandIo): string {
  const value = io.environment.variable(name);
  if (value === undefined || value === "") throw refused(`the environment variable ${name} is not set`);
  return value;
}

/** A private key as PEM. */
export function readPrivateKey(pem: string | undefined): KeyObject | undefined {
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch {
    throw refused('the private key cannot be read: it must be PEM, "-----BEGIN PRIVATE KEY-----" …');
  }
}

/** What `--data` or `--body` says: `@PATH` for a file, `-` for standard input, or the text itself. */
export function readContent(text: string, option: string, io: CommandIo): Buffer {
  if (text === "-") return Buffer.from(io.stdin === undefined ? readFileSync(0) : io.stdin());
  if (text.startsWith("@")) return readBytes(text.slice(1), option, io);
  return Buffer.from(text);
}

/** `--data` as JSON. */
export function readData(text: string | undefined, io: CommandIo): unknown {
  if (text === undefined) return {};
  try {
    return parseJson(readContent(text, "--data", io).toString("utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw misused("--data must be JSON, @FILE or -; for a body that is sent as it is, use --body");
  }
}

/** `--header "Name: value"`, by lower-case names. */
export function readHeaders(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e]*)$/.exec(text) ?? [];
      if (name === undefined || value === undefined) throw misused(`--header must be "Name: value" in ASCII`);
      return [name.toLowerCase(), value.trimEnd()];
    }),
  );
}

function readBytes(path: string, option: string, io: CommandIo): Buffer {
  try {
    return readFileSync(resolve(io.cwd, path));
  } catch (error) {
    throw refused(`${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** A delivery on its way. */
export interface Outgoing {
  readonly url: URL;
  readonly delivery: SignedDelivery;
  /** Headers that hold the receiver's own credentials; they win. */
  readonly credentials: Readonly<Record<string, string>>;
  /** How long the answer is waited for: as long as the sender would. */
  readonly deadlineMs: number;
}

/** Sends once and prints the answer: its body on standard output, the rest on standard error. Whether it was 2xx. */
export async function sendOnce(
  { url, delivery, credentials, deadlineMs }: Outgoing,
  io: CommandIo,
): Promise<boolean> {
  const startedMs = performance.now();
  const after = (): string => `after ${Math.round(performance.now() - startedMs)} ms`;
  try {
    const answer = await fetch(new URL(delivery.path, url), {
      method: "POST",
      headers: { "content-type": delivery.contentType, ...delivery.headers, ...credentials },
      body: new Uint8Array(delivery.body),
      redirect: "manual",
      signal: AbortSignal.timeout(deadlineMs),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    io.stderr(`${answer.status} ${printable(answer.statusText)} ${after()}\n`);
    if (body.length > 0) io.stdout(`${answerText(body)}\n`);
    return answer.ok;
  } catch (error) {
    const { name, message, cause } = error as Error;
    const what =
      name === "TimeoutError"
        ? `no answer within ${deadlineMs} ms, which is how long this sender waits`
        : printable((cause as Error | undefined)?.message || message, 300);
    io.stderr(`failed ${after()}: ${what}\n`);
    return false;
  }
}

/** What an answer says, without what a terminal would obey. */
function answerText(body: Buffer): string {
  return body
    .toString("utf8")
    .replace(/[\p{Cc}\u2028\u2029]/gu, (character) =>
      character === "\n" || character === "\t" ? character : printable(character),
    );
}

/** A request as it would be sent. `credentials`: what stands for secrets that were not signed with. */
export function describeDelivery(
  url: URL,
  delivery: SignedDelivery,
  credentials: Readonly<Record<string, string>>,
): string {
  const headers = { "content-type": delivery.contentType, ...delivery.headers, ...credentials };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  return `POST ${new URL(delivery.path, url).href}\n${lines.join("")}\n${delivery.body.toString("utf8")}\n`;
}

/** The delivery with one character of what proves it changed. CommandFailure 2 where nothing does. */
export function tampered(delivery: SignedDelivery, source: Source<never>): SignedDelivery {
  const proofs = new Set(proofsOf(source).filter((name) => Object.hasOwn(delivery.headers, name)));
  if (proofs.size === 0) throw misused("--tamper: this source signs nothing");
  const headers = Object.fromEntries(
    Object.entries(delivery.headers).map(([name, value]) => [
      name,
      proofs.has(name) ? altered(value) : value,
    ]),
  );
  return { ...delivery, headers };
}

function proofsOf({ signature, auth }: Source<never>): readonly string[] {
  const token = auth === undefined ? [] : [auth.carrier?.header ?? "authorization"];
  if (signature?.kind === "header") return [...token, ...signature.headers.map((set) => set.signature)];
  return signature?.kind === "http-message" ? [...token, "signature"] : token;
}

/** Neither padding nor unused bits stand there, and 0 and 1 are in every alphabet that signatures are written in. */
function altered(value: string): string {
  const at = value.length - 10;
  return `${value.slice(0, at)}${value.charAt(at) === "0" ? "1" : "0"}${value.slice(at + 1)}`;
}
