/** docs/sources.md against the sources themselves: every one has its rows, with its headers, types of signature and deadline. */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Source } from "hookgate";
import { namedSource, sourceNames } from "../../src/cli/send-sources.js";
import { millisecondsOf } from "../../src/lib/duration.js";
import { root } from "./pages.js";

const page = readFileSync(join(root, "docs/sources.md"), "utf8");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Rows of the table under a heading, as lists of cells. */
function rowsUnder(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.slice(2, -2).split(" | "));
}

/** The row that names a source's function first. */
function rowOf(rows: readonly (readonly string[])[], factory: string): readonly string[] {
  const row = rows.find(([first = ""]) => first.includes(`\`${factory}\``));
  if (row === undefined) throw new Error(`docs/sources.md has no row for ${factory}`);
  return row;
}

/** The function of each name that the command line knows. */
const factories: Readonly<Record<string, string>> = {
  "atlassian-connect": "atlassianConnect",
  cloudevents: "cloudEvents",
  github: "github",
  "google-pubsub": "googlePubSub",
  "http-signature": "httpMessageSignatures",
  plaid: "plaid",
  shopify: "shopify",
  slack: "slack",
  "standard-webhooks": "standardWebhooks",
  stripe: "stripe",
  svix: "standardWebhooks",
  twilio: "twilio",
  vonage: "vonage",
  webex: "webex",
  "webex-connect": "webexConnect",
  "webex-connect-events": "webexConnectEvents",
  "webex-connect-outbound": "webexConnectOutbound",
};

const proofs = rowsUnder("How senders prove");
const events = rowsUnder("What they send");

function make(name: string): Source<never> {
  const kinds = { plaid: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) } as Record<
    string,
    unknown
  >;
  const pair = (kinds[name] ?? (() => generateKeyPairSync("rsa", { modulusLength: 2048 }))) as () => {
    privateKey: never;
  };
  const needsKey = name === "plaid" || name === "google-pubsub";
  return namedSource(name, {
    secret: needsKey ? undefined : "docs-secret-0123456789abcdef0123456789ab",
    privateKey: needsKey ? pair().privateKey : undefined,
    keyId: "k",
    publicUrl: "https://hooks.example.com",
    url: "https://hooks.example.com/in",
    signatureHeader: "x-signature",
    issuer: undefined,
    audience: undefined,
    account: "push@project.example",
  });
}

/** Words for a table's algorithms. */
const words: Readonly<Record<string, RegExp>> = {
  "hmac-sha256": /HMAC-SHA-256/,
  "hmac-sha512": /HMAC-SHA-256 or -512/,
  "hmac-sha1": /HMAC-SHA-1/,
  ed25519: /Ed25519/,
};

describe("docs/sources.md", () => {
  it("has every source that there is, each with the subpath it is imported from", () => {
    expect(Object.keys(factories).sort()).toEqual([...sourceNames].sort());
    const subpaths = Object.entries(manifest.exports as Record<string, { default?: string }>)
      // What `customSource` makes has no row of its own.
      .filter(([path, target]) => target.default?.includes("/sources/") && path !== "./custom")
      .map(([path]) => path.replace("./", "hookgate/"));
    const named = proofs.map(([first = ""]) => /`(hookgate\/[^`]+)`/.exec(first)?.[1]);
    expect([...named].sort()).toEqual([...subpaths].sort());
  });

  it.each(sourceNames)("says of %s how long its sender waits", (name) => {
    const [, , , deadline = ""] = rowOf(events, factories[name] ?? "");
    expect(deadline).toMatch(new RegExp(`^${(millisecondsOf(make(name).deadline) ?? 0) / 1000} s`));
  });

  it.each(sourceNames)("says of %s where its proof stands, and how it is made", (name) => {
    const [, , header = "", algorithm = "", signed = "", tolerance = ""] = rowOf(
      proofs,
      factories[name] ?? "",
    );
    const { signature, auth } = make(name);
    if (auth?.carrier !== undefined) expect(header.toLowerCase()).toContain(auth.carrier.header);
    if (signature?.kind !== "header" || name.startsWith("webex-connect-events")) return;
    if (name !== "webex-connect") {
      for (const set of signature.headers) {
        const family = set.signature.replace(/-.*/, "");
        expect(header.toLowerCase()).toContain(
          name === "svix" ? family : set.signature.replace(/^svix-signature$/, "svix-"),
        );
      }
    }
    for (const variant of signature.variants) expect(algorithm).toMatch(words[variant.algorithm] ?? /never/);
    expect(algorithm).toContain(signature.encoding);
    if (typeof signature.signed === "string") {
      expect(signed.replaceAll("`", "")).toBe(signature.signed === "{body}" ? "body" : signature.signed);
    }
    if (signature.tolerance !== undefined)
      expect(tolerance).toBe(`${(millisecondsOf(signature.tolerance) ?? 0) / 1000} s`);
    else if (!name.startsWith("webex-connect")) expect(tolerance).toBe("no timestamp");
  });
});

describe("README.md", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");

  it("denies nothing that is there", () => {
    const missing = /## Not included yet\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? "";
    expect(missing).toMatch(/^- /m);
    expect(missing).not.toMatch(/signatures? over|ready-made|SQLite engine|sources/i);
    expect(readme).not.toMatch(/hookgate does not yet/);
  });
});
