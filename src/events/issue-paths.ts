import { printable } from "../lib/printable.js";
import type { SchemaIssue } from "../types/standard-schema.js";

const maxPaths = 10;

/**
 * Where a schema found fault, for a log line: `["total", "items.0.sku"]`, each path once, at most ten, escaped and
 * cut at 100 characters; `"(root)"` stands for the data as a whole. Messages are left out, for they may quote the
 * data (ATTACKS I01, I02).
 */
export function issuePaths(issues: readonly SchemaIssue[]): readonly string[] {
  const paths = new Set<string>();
  for (const { path } of issues) {
    if (paths.size === maxPaths) break;
    // Not path.map: arktype's paths are a subclass of Array that map would make one entry too many of.
    const keys = Array.from(path ?? [], (segment) =>
      String(typeof segment === "object" ? segment.key : segment),
    );
    paths.add(keys.length === 0 ? "(root)" : printable(keys.join(".")));
  }
  return [...paths];
}
