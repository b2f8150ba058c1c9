import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { millisecondsOf } from "../lib/duration.js";
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
import { readContent, readData, readHeaders, readPrivateKey, readSecret, variable } from "./send-input.js";
import { describeDelivery, sendOnce, tampered } from "./send-request.js";
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
      nowMs: io.clock.now(),
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
