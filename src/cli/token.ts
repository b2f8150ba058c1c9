import { createSecretKey, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { parseJson } from "../lib/json.js";
import { printable } from "../lib/printable.js";
import type { TokenCredential } from "../types/credential.js";
import {
  type CommandIo,
  type ExitCode,
  misused,
  parseDuration,
  readOptions,
  refused,
  required,
} from "./command.js";
import {
  credentialsPath,
  entryNamed,
  type Members,
  nameOf,
  type OwnerName,
  readDocument,
  stateOf,
} from "./credentials-file.js";

const kinds = {
  file: "text",
  tenant: "text",
  service: "text",
  id: "text",
  audience: "texts",
  "expires-in": "text",
  claim: "texts",
} as const;

/** `hookgate token sign`: a token as the sender would make it, from the HMAC secret of a credential. */
export async function tokenSign(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, kinds);
  const path = credentialsPath(required(options.file, "file"), io);
  const owner: OwnerName = {
    tenant: required(options.tenant, "tenant"),
    service: required(options.service, "service"),
  };
  const id = required(options.id, "id");
  const lifeSeconds = parseLife(options["expires-in"] ?? "5m");
  const extra = parseClaims(options.claim);
  const { resolved, index } = readDocument(path, io, true);
  const entry = entryNamed(resolved, owner, id).members;
  const credential = index.all.find(
    (one): one is TokenCredential =>
      one.kind === "jwt" &&
      one.id === id &&
      one.owner.tenant === owner.tenant &&
      one.owner.service === owner.service,
  );
  if (credential === undefined) throw refused(`"${id}" of ${nameOf(owner)} is a key, not a JWT credential`);
  const secret = secretOf(entry, id);
  const nowMs = io.clock.now();
  const issuedAt = Math.floor(nowMs / 1000);
  const claims = {
    iss: credential.policy.issuer,
    aud: audienceOf(credential, options.audience),
    iat: issuedAt,
    exp: issuedAt + lifeSeconds,
    jti: randomUUID(),
    ...extra,
  };
  assertPolicy(credential, claims, lifeSeconds);
  const token = await new SignJWT(claims)
    .setProtectedHeader({
      alg: credential.policy.algorithms[0] as string,
      typ: (entry.typ as string | undefined) ?? "JWT",
      kid: (entry.kid as string | undefined) ?? id,
    })
    .sign(createSecretKey(secret));
  io.stdout(`${token}\n`);
  const state = stateOf(credential, nowMs);
  if (state !== "active") io.stderr(`Receivers refuse this token now: the credential is ${state}.\n`);
  return 0;
}

function parseLife(text: string): number {
  const ms = parseDuration(text);
  // `exp` counts seconds.
  if (ms === undefined || ms % 1000 !== 0) {
    throw misused(
      `--expires-in must be a duration in whole seconds, such as 30s, 5m or 12h, not "${printable(text)}"`,
    );
  }
  return ms / 1000;
}

const ours = new Set(["iss", "aud", "iat", "exp"]);

/** `name=text`, or `name:=json` for what is no text. */
function parseClaims(given: readonly string[]): Members {
  const claims = new Map<string, unknown>();
  for (const text of given) {
    const equals = text.indexOf("=");
    const isJson = text.charAt(equals - 1) === ":";
    const name = text.slice(0, isJson ? equals - 1 : equals);
    if (equals < 1 || name === "") {
      throw misused(`--claim must be name=text, or name:=json for numbers and lists, not "${text}"`);
    }
    if (ours.has(name))
      throw misused(`--claim ${name}: this claim is set from the credential and --expires-in`);
    const value = text.slice(equals + 1);
    claims.set(name, isJson ? claimValue(value, name) : value);
  }
  return Object.fromEntries(claims);
}

function claimValue(text: string, name: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw misused(`--claim ${name}:= must be JSON; for plain text write ${name}=…`);
  }
}

function secretOf(entry: Members, id: string): Buffer {
  const secret = entry.secret as string | { readonly base64: string } | undefined;
  if (secret === undefined) {
    throw refused(`"${id}" has only public keys, which cannot sign; sign where the private key is`);
  }
  return typeof secret === "string" ? Buffer.from(secret, "utf8") : Buffer.from(secret.base64, "base64");
}

function audienceOf(credential: TokenCredential, asked: readonly string[]): string | string[] | undefined {
  const accepted = credential.policy.audience;
  const stranger =
    accepted === undefined ? undefined : asked.find((audience) => !accepted.includes(audience));
  if (stranger !== undefined) {
    throw misused(`--audience "${stranger}" is not one of the credential's: ${accepted?.join(", ")}`);
  }
  return asked.length > 1 ? [...asked] : (asked[0] ?? accepted?.[0]);
}

function assertPolicy({ policy }: TokenCredential, claims: Members, lifeSeconds: number): void {
  const { maxLifetimeSeconds, requiredClaims } = policy;
  if (lifeSeconds > maxLifetimeSeconds) {
    throw misused(`--expires-in may be ${maxLifetimeSeconds}s at most: the credential's maxLifetime`);
  }
  const missing = requiredClaims.find((name) => !Object.hasOwn(claims, name) || claims[name] === undefined);
  if (missing !== undefined)
    throw misused(`the credential requires the claim "${missing}": add --claim ${missing}=…`);
}
