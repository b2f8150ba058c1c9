/** The lock file is the same for everyone: no registry, no machine stands in it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";

function read(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), "utf8");
}

const text = read("package-lock.json");
const lock = JSON.parse(text);
const manifest = JSON.parse(read("package.json"));

/** What ties a lock file to a place: where packages were downloaded from, and paths of a machine. */
function tiesOf(lockText: string): string[] {
  const withoutFunding = lockText.replaceAll(/"funding": (\{[^}]*\}|\[[^\]]*\]|"[^"]*")/g, '"funding": ""');
  return withoutFunding.match(/"resolved".*|\w+:\/\/.*|"(file|link):.*|"\/.*|"[A-Z]:\\.*|"\.\.\/.*/g) ?? [];
}

describe("package-lock.json", () => {
  it("names no registry and no path", () => {
    expect(tiesOf(text)).toEqual([]);
  });

  it.each([
    '"resolved": "https://registry.example/jose/-/jose-6.2.18.tgz",',
    '"version": "file:../jose",',
    '"version": "git+ssh://git@example.com/jose.git",',
    '"/home/someone/hookgate/node_modules/jose": {',
  ])("would be caught with %s", (line) => {
    expect(tiesOf(`{\n  ${line}\n}`)).toHaveLength(1);
  });

  it("has what package.json asks for", () => {
    const locked = lock.packages[""];
    for (const kind of ["dependencies", "devDependencies", "peerDependencies"]) {
      expect([kind, locked[kind]]).toEqual([kind, manifest[kind]]);
    }
    expect([locked.name, locked.version]).toEqual([manifest.name, manifest.version]);
  });

  it("holds a checksum for every package", () => {
    const without = Object.entries<{ integrity?: string }>(lock.packages)
      .filter(([path, entry]) => path !== "" && entry.integrity === undefined)
      .map(([path]) => path);
    expect(without).toEqual([]);
  });
});

describe("package.json", () => {
  it("has at most four runtime dependencies, and Express as a peer (I10)", () => {
    expect(Object.keys(manifest.dependencies)).toEqual(["content-type", "ip-cidr", "jose", "raw-body"]);
    const optional = Object.keys(manifest.peerDependenciesMeta);
    // The driver of Node.js 20; types alone are taken from the others, where they are installed.
    expect(optional).toEqual(["@octokit/webhooks-types", "@photostructure/sqlite", "stripe"]);
    expect(manifest.optionalDependencies).toBeUndefined();
    expect(Object.keys(manifest.peerDependencies).filter((name) => !optional.includes(name))).toEqual([
      "express",
    ]);
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
  });
});
