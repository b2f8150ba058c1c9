import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the documentation. */
export interface Page {
  /** From the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of code. */
export interface Block {
  /** What stands behind the opening fence: the language. */
  readonly info: string;
  readonly code: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
}

/** README, CHANGELOG and all of `docs`. */
export function readPages(): Page[] {
  const inDocs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => `docs/${path.split(sep).join("/")}`);
  const atRoot = readdirSync(root).filter((path) => path.endsWith(".md"));
  return [...atRoot, ...inDocs]
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** The fenced blocks of a page, in order. */
export function blocksOf({ path, text }: Page): Block[] {
  const blocks: Block[] = [];
  let open: { info: string; line: number; code: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) open?.code.push(line);
    else if (open === undefined) open = { info: fence[1] ?? "", line: index + 2, code: [] };
    else {
      blocks.push({ info: open.info, line: open.line, code: open.code.join("\n") });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line - 1}: a block of code is not closed`);
  return blocks;
}

/** The page without its blocks of code, line by line. */
export function proseOf({ text }: Page): string {
  let inside = false;
  return text
    .split("\n")
    .map((line) => {
      if (/^\s*```/.test(line)) inside = !inside;
      return inside ? "" : line;
    })
    .join("\n");
}

/** The names by which links reach the headings of a page, as GitHub makes them. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of proseOf(page).matchAll(/^#+ +(.*)$/gm)) {
    const plain = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase();
    const slug = plain.replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let more = 1; anchors.has(anchor); more++) anchor = `${slug}-${more}`;
    anchors.add(anchor);
  }
  return anchors;
}
