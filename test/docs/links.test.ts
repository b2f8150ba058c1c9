/** The links within the documentation lead somewhere. */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { anchorsOf, type Page, proseOf, readPages, root } from "./pages.js";

/** Links that lead nowhere, with where they stand. */
function deadLinksIn(pages: readonly Page[]): string[] {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  return pages.flatMap((page) =>
    proseOf(page)
      .split("\n")
      .flatMap((line, index) =>
        [...line.matchAll(/\]\(([^)\s]+)\)/g)]
          .map(([, target = ""]) => target)
          .filter((target) => isDead(page, target, byPath))
          .map((target) => `${page.path}:${index + 1} ${target}`),
      ),
  );
}

function isDead(page: Page, target: string, pages: ReadonlyMap<string, Page>): boolean {
  if (/^(https|mailto):/.test(target)) return false;
  const [file = "", anchor] = target.split("#");
  const path = file === "" ? page.path : posix.join(posix.dirname(page.path), file);
  const known = pages.get(path);
  if (known === undefined && !existsSync(join(root, path))) return true;
  return anchor !== undefined && (known === undefined || !anchorsOf(known).has(anchor));
}

describe("the links of the documentation", () => {
  it("lead to files and headings that are there", () => {
    expect(deadLinksIn(readPages())).toEqual([]);
  });

  it("would be caught where they do not", () => {
    const text =
      "# One, two\n\n[a](#one-two) [b](#two) [c](other.md) [d](../LICENSE) [e](http://plain.example)\n";
    expect(deadLinksIn([{ path: "docs/page.md", text }])).toEqual([
      "docs/page.md:3 #two",
      "docs/page.md:3 other.md",
      "docs/page.md:3 http://plain.example",
    ]);
  });
});
