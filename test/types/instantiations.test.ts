/** What 500 event types with 500 handlers cost the compiler. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
const count = 500;
const perGroup = 10;

let folder = "";
beforeAll(() => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/instantiations-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function eventType(index: number): string {
  return `group${Math.floor(index / perGroup)}.part.event${index}`;
}

function lines(make: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => make(index)).join("\n");
}

const declarations = {
  schemas: `import type { StandardSchema } from "../../src/types/standard-schema.js";
declare const events: {
${lines((i) => `  "${eventType(i)}": StandardSchema<unknown, { id: string; n${i}: number }>;`)}
};
const receiver = create({ events });`,
  uncheckedTypes: `import { uncheckedTypes } from "../../src/events/event-map.js";
const receiver = create({ events: uncheckedTypes<{
${lines((i) => `  "${eventType(i)}": { id: string; n${i}: number };`)}
}>() });`,
};

/** Of ten handlers one is for a pattern, one for a list, eight for a type. Each uses what only its event has. */
function handler(index: number): string {
  const type = eventType(index);
  const other = eventType((index + 1) % count);
  if (index % 10 === 3) {
    const pattern = `group${Math.floor(index / perGroup)}.*`;
    return `receiver.on("${pattern}", (event) => event.type === "${type}" ? event.data.n${index} : event.id);`;
  }
  if (index % 10 === 7) {
    return `receiver.on(["${type}", "${other}"], (event) => event.type === "${type}" && event.data.n${index}.toFixed());`;
  }
  return `receiver.on("${type}", async (event, context) => [event.data.n${index}.toFixed(), context.attempt]);`;
}

function compile(name: string, declaration: string): string {
  const source = `import type { EventMapOf, EventsOption } from "../../src/events/event-map.js";
import type { HandlerRegistration } from "../../src/events/handlers.js";
declare function create<const E extends EventsOption | undefined = undefined>(
  options: { readonly events?: E }): HandlerRegistration<EventMapOf<E>>;
${declaration}
${lines(handler)}
receiver.onAny((event) => event.type === "${eventType(0)}" ? event.data.n0.toFixed() : event.data.id);
// @ts-expect-error: no such type
receiver.on("${eventType(0)}x", () => {});
// @ts-expect-error: no such member
receiver.on("${eventType(0)}", (event) => event.data.n1);
`;
  writeFileSync(join(folder, `${name}.ts`), source);
  const project = join(folder, `${name}.json`);
  writeFileSync(
    project,
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { paths: {} },
      include: [],
      files: [`${name}.ts`],
    }),
  );
  const args = [tsc, "--noEmit", "--extendedDiagnostics", "-p", project];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stdout.split("\n").filter((line) => line.includes("error TS"))).toEqual([]);
  return stdout;
}

describe("the compiler", () => {
  it.each(Object.entries(declarations))(
    "needs under 300,000 instantiations for 500 event types with 500 handlers, by %s",
    (name, declaration) => {
      const found = /^Instantiations:\s+(\d+)$/m.exec(compile(name, declaration));
      expect(Number(found?.[1])).toBeGreaterThan(count);
      expect(Number(found?.[1])).toBeLessThan(300_000);
    },
    120_000,
  );
});
