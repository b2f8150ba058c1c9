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
      expect.arrayContaining([
        "index.ts",
        "receiver/receiver.ts",
        "errors.ts",
        "auth/jwt/verify.ts",
        "lib/options.ts",
      ]),
    );
  });

  it("is in order", () => {
    expect(faultsOf(house)).toEqual([]);
  });
});

/** Where a file asks whether something is a promise. */
function promiseQuestions(text: string): number {
  return (
    text.match(/\bisPromise\(|\binstanceof Promise\b|\bisThenable\(|\.then\b[^(]|["']then["']/g)?.length ?? 0
  );
}

describe("the way of a delivery", () => {
  it("asks in at most three places whether something is a promise", () => {
    const asking = [...house]
      .filter(([path]) => path.startsWith("receiver/"))
      .flatMap(([path, text]): [string, number][] => {
        const count = promiseQuestions(text);
        return count === 0 ? [] : [[path, count]];
      });
    expect(asking).not.toEqual([]);
    expect(asking.reduce((sum, [, count]) => sum + count, 0)).toBeLessThanOrEqual(3);
  });

  it.each([
    "if (isPromise(found)) return;",
    "if (found instanceof Promise) return;",
    "if (typeof found.then === 'function') return;",
    'if ("then" in found) return;',
  ])("would be caught asking: %s", (text) => {
    expect(promiseQuestions(text)).toBeGreaterThan(0);
  });

  it("goes on with what a promise gives without asking", () => {
    expect(promiseQuestions("pending.push(found.then((settled) => note(settled)));")).toBe(0);
  });
});

/** A house in order, in which one file is replaced. */
function houseWith(path: string, text: string): House {
  const tidy = [
    "index.ts",
    "receiver/receiver.ts",
    "auth/options.ts",
    "http/send-response.ts",
    "telemetry/logger.ts",
    "auth/jwt/verify.ts",
  ];
  const more = ["ip/address.ts", "events/schemas.ts", "types/event.ts", "errors.ts", "testing/index.ts"];
  return new Map([
    ...[...tidy, ...more].map((file): [string, string] => [file, "export type {};"]),
    [path, text],
  ]);
}

describe("the rules of the house", () => {
  it.each([
    [
      "receiver/receiver.ts",
      'import { a } from "../auth/options.js";\nimport { b } from "../http/send-response.js";',
    ],
    [
      "http/send-response.ts",
      'import { errors } from "../errors.js";\nimport { ip } from "../ip/address.js";',
    ],
    ["types/event.ts", 'import type { E } from "../errors.js";\nexport interface A { e: E }'],
    ["auth/jwt/verify.ts", 'import { hash } from "node:crypto";\nimport { JOSEError } from "jose/errors";'],
    ["ip/address.ts", 'import type { Socket } from "node:net";\nexport const a = (s: Socket): Socket => s;'],
    ["cli/main.ts", "export const home = process.env.HOME;"],
    ["lib/environment.ts", "/** process.env, any, default */\nexport const home = process.env.HOME;"],
    [
      "ip/address.ts",
      "export function f(n: number): number {\n  switch (n) {\n    default: return n;\n  }\n}",
    ],
  ])("allow what %s needs", (path, text) => {
    expect(faultsOf(houseWith(path, text))).toEqual([]);
  });

  const breaches = [
    [
      "ip/address.ts",
      'import { a } from "../http/send-response.js";',
      "imports http/send-response.ts, a floor above it",
    ],
    [
      "ip/address.ts",
      'import type { a } from "../http/send-response.js";',
      "imports http/send-response.ts, a floor above it",
    ],
    [
      "auth/options.ts",
      'export * from "../events/schemas.js";',
      "imports events/schemas.ts, the room beside it",
    ],
    ["events/schemas.ts", 'import "../auth/options.js";', "imports auth/options.ts, the room beside it"],
    [
      "http/send-response.ts",
      'void import("../telemetry/logger.js");',
      "imports telemetry/logger.ts, the room beside it",
    ],
    [
      "telemetry/logger.ts",
      'type A = import("../http/send-response.js").A;',
      "imports http/send-response.ts, the room beside it",
    ],
    ["auth/options.ts", 'import { a } from "../index.js";', "imports index.ts, a floor above it"],
    ["index.ts", 'export * from "./testing/index.js";', "imports testing/index.ts, the room beside it"],
    ["errors.ts", 'import { a } from "./auth/options.js";', "imports auth/options.ts, a floor above it"],
    ["ip/address.ts", 'import { a } from "./nowhere.js";', "imports ip/nowhere.ts, which is not there"],
    ["ip/address.ts", 'import { a } from "./cidr";', "imports ./cidr: relative imports end in .js"],
    [
      "ip/address.ts",
      'import { decodeJwt } from "jose/jwt/decode";',
      "imports jose/jwt/decode, which belongs to auth/jwt/verify.ts, cli/token.ts, signatures/sign.ts, testing/signer.ts",
    ],
    ["http/send-response.ts", 'import express from "express";', "imports express, which belongs to no file"],
    ["ip/address.ts", 'import { isIP } from "node:net";', "imports node:net: decisions do no I/O"],
    [
      "receiver/receiver.ts",
      'import { copyFileSync, existsSync } from "node:fs";',
      "imports copyFileSync of node:fs: it is not one of the files that open files",
    ],
    [
      "http/send-response.ts",
      'import * as fs from "node:fs/promises";',
      "imports everything of node:fs: it is not one of the files that open files",
    ],
    ["utils/strings.ts", "export {};", "is in a room that stands on no floor"],
    ["ip/clientAddress.ts", "export {};", "is not named in kebab-case"],
  ] as const;
  it.each(breaches.map(([path, text, fault]) => [`${path} ${fault}`, path, text]))(
    "find: %s",
    (fault, path, text) => {
      expect(faultsOf(houseWith(path, text))).toEqual([fault]);
    },
  );

  it("find files that import each other, through others and for types alone as well", () => {
    const house: House = new Map([
      ["ip/address.ts", 'import type { A } from "./cidr.js";\nexport type B = A;'],
      ["ip/cidr.ts", 'export type { B } from "./range-set.js";'],
      ["ip/range-set.ts", 'type A = import("./address.js").B;'],
    ]);
    expect(faultsOf(house)).toEqual([
      "ip/address.ts imports ip/cidr.ts imports ip/range-set.ts imports ip/address.ts: a circle",
    ]);
  });

  const lines = [
    ["ip/address.ts", "export const home = process.env.HOME;", "reads process.env"],
    [
      "ip/address.ts",
      'export const net = process.getBuiltinModule("node:net");',
      "calls process.getBuiltinModule: it is not one of the files that load modules later",
    ],
    [
      "types/event.ts",
      "export const limit = 1;",
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "sources/hub-types.ts",
      "export const limit = 1;",
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "types/event.ts",
      'import { a } from "../errors.js";',
      "holds a value: this file is for types alone, and no test has to run it",
    ],
    [
      "ip/address.ts",
      'export const a = JSON.parse("1");',
      "calls JSON.parse: parseJson of lib/json.ts reads names with escapes on every Node.js",
    ],
    [
      "receiver/receiver.ts",
      'export const driver = "node:sqlite";',
      "names node:sqlite, which belongs to inbox/sqlite/driver.ts",
    ],
    [
      "inbox/sqlite/store.ts",
      'export const a = "PRAGMA query_only = 1";',
      "holds SQL, which belongs to the engine's schema.ts or statements.ts",
    ],
    [
      "inbox/inbox.ts",
      "export const a = (b: string) => `$\u007bb} FROM hookgate_tasks`;",
      "holds SQL, which belongs to the engine's schema.ts or statements.ts",
    ],
    ["ip/address.ts", "let count = 0;", "keeps state in the module"],
    ["ip/address.ts", "export const a = (b: any) => b;", "uses any"],
    ["ip/address.ts", "export default function f() {}", "exports a default"],
    ["ip/address.ts", "export default 1;", "exports a default"],
    ["ip/address.ts", "const a = 1; export { a as default };", "exports a default"],
    ["ip/address.ts", "export enum A { B }", "declares an enum"],
    ["ip/address.ts", "export const a = (b?: string) => b!.length;", "asserts that something is not null"],
  ] as const;
  it.each(lines.map(([path, text, fault]) => [`${path}:1 ${fault}`, path, text]))(
    "find: %s",
    (fault, path, text) => {
      expect(faultsOf(houseWith(path, text))).toEqual([fault]);
    },
  );
});
