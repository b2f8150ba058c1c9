/** Options of auth and addresses that must be given take `undefined` as well: a variable may be unset, and construction says so. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "@jest/globals";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const tsc = join(root, "node_modules/typescript7/bin/tsc");

let folder = "";
beforeAll(() => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/undefined-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const source = `
import { createAllowlist, credentialsFromFile, credentialsFromLookup, defineCredentials, requireAllowedIp, requireAuth } from "../../src/index.js";
import type { AuthOptions, JwtOptions } from "../../src/index.js";

const { TEXT: text } = process.env;
declare const on: boolean | undefined;

export const jwt: JwtOptions = {
  id: text, kid: text, issuer: text, audience: text, algorithms: undefined, secret: text, publicKey: text, jwks: undefined,
  jwksUri: text, maxAge: undefined, maxLifetime: undefined, clockTolerance: undefined, requiredClaims: undefined, typ: text,
  bodyHashClaim: text, oneTimeUse: on, insecureShortSecret: on, state: undefined, notBefore: text, expiresAt: text,
};
export const auth: AuthOptions[] = [
  { serviceKey: text, jwt: { issuer: "orders", secret: text } },
  { serviceKey: [text, text], jwt: undefined },
  { serviceKey: { header: text, keys: [{ id: "a", key: text, insecureShortKey: on }, { digest: text, notBefore: text }, { id: text, key: text }] } },
  { jwt: [{ issuer: "orders", secret: { base64: text } }, { issuer: "bank", jwksUri: { uri: text, ca: text, timeout: undefined } }] },
  { credentials: defineCredentials({ tenants: {} }, { clock: undefined }), accept: undefined, keyHeader: text },
];
requireAuth({ serviceKey: text, realm: text, name: text });
export const list = createAllowlist({ ranges: [text], mode: undefined, dangerouslyAllowAnyAddress: on });
requireAllowedIp([text], { clientAddress: { trustedProxies: [text, "loopback"], header: undefined }, name: text });
export const file = credentialsFromFile("credentials.json", { pollInterval: undefined, env: process.env, clock: undefined });
export const looked = credentialsFromLookup(
  { key: async () => ({ id: "a", tenant: "t", service: text, expiresAt: text, allowIps: undefined }) },
  { timeout: undefined },
);
export const wrong: JwtOptions = { issuer: 1 };
`;

it("compiles under exactOptionalPropertyTypes", () => {
  const file = join(folder, "options.ts");
  writeFileSync(file, source);
  const options = "--noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --skipLibCheck";
  const more = "--target es2023 --module nodenext --moduleResolution nodenext --types node --ignoreConfig";
  const { stdout } = spawnSync(process.execPath, [tsc, ...`${options} ${more}`.split(" "), file], {
    encoding: "utf8",
    cwd: root,
  });
  // What else of src breaks under the flag is none of this test's business. The last line is wrong on purpose.
  expect(stdout.split("\n").filter((line) => line.includes("options.ts("))).toEqual([
    expect.stringMatching(/error TS2322: Type 'number' is not assignable to type 'string'/),
  ]);
}, 60_000);
