/** What the command line makes of credentials files of format version 1: see test/unit/auth/credentials/version-1. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { toCurrentVersion } from "../../../src/auth/credentials/file-version.js";
import { main } from "../../../src/cli/run.js";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "../auth/credentials/version-1");

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-upgrade-"));
  cpSync(fixtures, folder, { recursive: true });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function run(line: string): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await main(line.split(" "), {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    environment: { variable: () => undefined },
    clock: { now: () => Date.parse("2026-11-24T12:00:00Z"), after: () => () => {} },
    cwd: folder,
  });
  return { code, out, err };
}

function textOf(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}

interface Document {
  version?: number;
  tenants: {
    acme: {
      profileKeys: unknown[];
      services: { orders: { serviceKeys: Record<string, unknown>[]; jwt: Record<string, unknown>[] } };
    };
  };
}

/** What version 1 says, written as version 2. */
function upgraded(name: string): Document {
  return toCurrentVersion(JSON.parse(textOf(name))).document as Document;
}

const orders = "--tenant acme --service orders";
const note = (name: string) =>
  `${join(folder, name)} is now in format version 2. Receivers with an earlier release`;

describe("a credentials file of format version 1", () => {
  it("is written as version 2 by key upgrade, with nothing else changed, once", async () => {
    const wanted = upgraded("every-option.json");
    const { code, out, err } = await run("key upgrade --file every-option.json");
    expect([code, out, err]).toEqual([0, "", expect.stringContaining(note("every-option.json"))]);
    const text = textOf("every-option.json");
    expect(text).toBe(`${JSON.stringify(wanted, null, 2)}\n`);
    expect(text.startsWith('{\n  "version": 2,\n  "tenants"')).toBe(true);
    writeFileSync(join(folder, "every-option.json"), JSON.stringify(wanted));
    const again = await run("key upgrade --file every-option.json");
    expect(again).toEqual({
      code: 0,
      out: "",
      err: `${join(folder, "every-option.json")} is already in format version 2.\n`,
    });
    expect(textOf("every-option.json")).toBe(JSON.stringify(wanted));
  });

  it.each<[string, string, (document: Document) => void]>([
    [
      "key activate",
      `key activate --file every-option.json ${orders} --id key-1`,
      ({ tenants }) => delete tenants.acme.services.orders.serviceKeys[0]?.state,
    ],
    [
      "key deactivate",
      `key deactivate --file every-option.json ${orders} --id bytes --force-lock-out`,
      ({ tenants }) => Object.assign(tenants.acme.services.orders.jwt[1] as object, { state: "inactive" }),
    ],
    [
      "key delete",
      `key delete --file every-option.json ${orders} --id text`,
      ({ tenants }) => tenants.acme.services.orders.jwt.shift(),
    ],
  ])(
    "is written as version 2 by %s, with every other credential and rule as it was",
    async (_, line, edit) => {
      const wanted = upgraded("every-option.json");
      edit(wanted);
      const { code, err } = await run(line);
      expect([code, err]).toEqual([0, expect.stringContaining(note("every-option.json"))]);
      expect(JSON.parse(textOf("every-option.json"))).toEqual(wanted);
    },
  );

  it("is written as version 2 by key new, which adds to it", async () => {
    const wanted = upgraded("made-by-cli.json");
    const { code, err } = await run("key new --file made-by-cli.json --tenant acme --id profile-2");
    expect([code, err]).toEqual([0, expect.stringContaining(note("made-by-cli.json"))]);
    const written = JSON.parse(textOf("made-by-cli.json")) as Document;
    expect(written.tenants.acme.profileKeys.splice(1)).toMatchObject([{ id: "profile-2" }]);
    expect(written).toEqual(wanted);
  });

  it("is only read by key list, which says what to write", async () => {
    const before = textOf("made-by-cli.json");
    const { code, out, err } = await run("key list --file made-by-cli.json --json");
    expect([code, JSON.parse(out).length]).toEqual([0, 5]);
    expect(err).toBe(
      `credentials file ${join(folder, "made-by-cli.json")} is in format version 1, which is still read. For version 2, put ` +
        `"version": 2 before "tenants". Or run: npx hookgate key upgrade --file ${join(folder, "made-by-cli.json")}\n`,
    );
    expect(textOf("made-by-cli.json")).toBe(before);
  });

  it("is left as it is where it has a member of version 2", async () => {
    const mixed = textOf("every-option.json").replace('"maxAgeSeconds": 300', '"maxAge": "5m"');
    writeFileSync(join(folder, "every-option.json"), mixed);
    for (const line of [
      "key upgrade --file every-option.json",
      "key new --file every-option.json --tenant acme",
    ]) {
      const { code, err } = await run(line);
      expect([code, err]).toEqual([
        1,
        expect.stringContaining("or write maxAgeSeconds here\nNothing was changed."),
      ]);
    }
    expect(textOf("every-option.json")).toBe(mixed);
  });
});

it("says nothing of versions where the file is of version 2", async () => {
  await run("key upgrade --file made-by-cli.json");
  const { err } = await run("key list --file made-by-cli.json");
  expect(err).toBe("");
  const edited = await run(`key deactivate --file made-by-cli.json ${orders} --id key-1 --force-lock-out`);
  expect([edited.code, edited.err]).toEqual([0, expect.not.stringContaining("version")]);
});
