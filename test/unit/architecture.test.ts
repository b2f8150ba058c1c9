/** The rules of the house (who may import whom, what a file may hold), read from the sources. */
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import { faultsOf, type House } from "./architecture-rules.js";

const src = fileURLToPath(new URL("../../src", import.meta.url));

const house: House = new Map(
  readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [path.split(sep).join("/"), readFileSync(join(src, path), "utf8")]),
);

describe("the house", () => {
  it("is the one that was built: every room of the plan that exists is read", () => {
    expect([...house.keys()]).toEqual(
      expect.arrayContaining(["index.ts", "receiver.ts", "errors.ts", "gate/jwt.ts", "lib/options.ts"]),
    );
  });

  it("is in order", () => {
    expect(faultsOf(house)).toEqual([]);
  });
});

/** A house in order, in which one file is replaced. */
function houseWith(path: string, text: string): House {
  const tidy = [
    "index.ts",
    "receiver.ts",
    "auth.ts",
    "http/respond.ts",
    "credentials/file.ts",
    "gate/jwt.ts",
  ];
  const more = ["gate/ip.ts", "events/catalog.ts", "contracts/event.ts", "errors.ts", "testing/index.ts"];
  return new Map([
    ...[...tidy, ...more].map((file): [string, string] => [file, "export type {};"]),
    [path, text],
  ]);
}

describe("the rules of the house", () => {
  it.each([
    ["receiver.ts", 'import { a } from "./auth.js";\nimport { b } from "./http/respond.js";'],
    ["http/respond.ts", 'import { errors } from "../errors.js";\nimport { ip } from "../gate/ip.js";'],
    ["contracts/event.ts", 'import type { E } from "../errors.js";\nexport interface A { e: E }'],
    ["gate/jwt.ts", 'import { hash } from "node:crypto";\nimport { JOSEError } from "jose/errors";'],
    ["gate/ip.ts", 'import type { Socket } from "node:net";\nexport const a = (s: Socket): Socket => s;'],
    ["cli/main.ts", "export const home = process.env.HOME;"],
    ["lib/environment.ts", "/** process.env, any, default */\nexport const home = process.env.HOME;"],
    ["gate/ip.ts", "export function f(n: number): number {\n  switch (n) {\n    default: return n;\n  }\n}"],
  ])("allow what %s needs", (path, text) => {
    expect(faultsOf(houseWith(path, text))).toEqual([]);
  });

  const breaches = [
    ["gate/ip.ts", 'import { a } from "../http/respond.js";', "imports http/respond.ts, a floor above it"],
    [
      "gate/ip.ts",
      'import type { a } from "../http/respond.js";',
      "imports http/respond.ts, a floor above it",
    ],
    ["gate/ip.ts", 'export * from "../events/catalog.js";', "imports events/catalog.ts, the room beside it"],
    ["events/catalog.ts", 'import "../gate/ip.js";', "imports gate/ip.ts, the room beside it"],
    [
      "http/respond.ts",
      'void import("../credentials/file.js");',
      "imports credentials/file.ts, the room beside it",
    ],
    [
      "credentials/file.ts",
      'type A = import("../http/respond.js").A;',
      "imports http/respond.ts, the room beside it",
    ],
    ["auth.ts", 'import { a } from "./index.js";', "imports index.ts, a floor above it"],
    ["index.ts", 'export * from "./testing/index.js";', "imports testing/index.ts, the room beside it"],
    ["errors.ts", 'import { a } from "./auth.js";', "imports auth.ts, a floor above it"],
    ["gate/ip.ts", 'import { a } from "./nowhere.js";', "imports gate/nowhere.ts, which is not there"],
    ["gate/ip.ts", 'import { a } from "./jwt";', "imports ./jwt: relative imports end in .js"],
    [
      "gate/ip.ts",
      'import { decodeJwt } from "jose/jwt/decode";',
      "imports jose/jwt/decode, which belongs to gate/jwt.ts, cli/token-sign.ts, sending/sign-token.ts, testing/signer.ts",
    ],
    ["http/respond.ts", 'import express from "express";', "imports express, which belongs to no file"],
    ["gate/ip.ts", 'import { isIP } from "node:net";', "imports node:net: decisions do no I/O"],
    [
      "receiver.ts",
      'import { copyFileSync, existsSync } from "node:fs";',
      "imports copyFileSync of node:fs: it is not one of the files that open files",
    ],
    [
      "http/respond.ts",
      'import * as fs from "node:fs/promises";',
      "imports everything of node:fs: it is not one of the files that open files",
    ],
    ["utils/strings.ts", "export {};", "is in a room that stands on no floor"],
    ["gate/clientAddress.ts", "export {};", "is not named in kebab-case"],
  ] as const;
  it.each(breaches.map(([path, text, fault]) => [`${path} ${fault}`, path, text]))(
    "find: %s",
    (fault, path, text) => {
      expect(faultsOf(houseWith(path, text))).toEqual([fault]);
    },
  );

  const lines = [
    ["gate/ip.ts", "export const home = process.env.HOME;", "reads process.env"],
    [
      "contracts/event.ts",
      "export const limit = 1;",
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "sources/hub-types.ts",
      "export const limit = 1;",
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "contracts/event.ts",
      'import { a } from "../errors.js";',
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "gate/ip.ts",
      'export const a = JSON.parse("1");',
      "calls JSON.parse: parseJson of lib/json.ts reads names with escapes on every Node.js",
    ],
    [
      "receiver.ts",
      'export const driver = process.getBuiltinModule("node:sqlite");',
      "names node:sqlite, which belongs to engines/sqlite/driver.ts",
    ],
    ["gate/ip.ts", "let count = 0;", "keeps state in the module"],
    ["gate/ip.ts", "export const a = (b: any) => b;", "uses any"],
    ["gate/ip.ts", "export default function f() {}", "exports a default"],
    ["gate/ip.ts", "export default 1;", "exports a default"],
    ["gate/ip.ts", "const a = 1; export { a as default };", "exports a default"],
    ["gate/ip.ts", "export enum A { B }", "declares an enum"],
    ["gate/ip.ts", "export const a = (b?: string) => b!.length;", "asserts that something is not null"],
  ] as const;
  it.each(lines.map(([path, text, fault]) => [`${path}:1 ${fault}`, path, text]))(
    "find: %s",
    (fault, path, text) => {
      expect(faultsOf(houseWith(path, text))).toEqual([fault]);
    },
  );
});
