// Who takes part in what. `kind` is the credential sent; a contender stands once for each kind that it is measured with.
export const contenders = [
  { label: "node:http by hand, key", file: "node-http", kind: "key" },
  { label: "node:http by hand, same checks as ours", file: "node-http-checked", kind: "key" },
  { label: "fastify, key", file: "fastify-key", kind: "key" },
  { label: "octokit/webhooks on node:http", file: "octokit-node", kind: "signature" },
  { label: "octokit/webhooks in Express 5", file: "octokit-express", kind: "signature" },
  { label: "Express 5 + HMAC by hand", file: "express-hmac", kind: "signature" },
  { label: "hookgate middleware, signature", file: "hookgate-signature", kind: "signature" },
  {
    label: "hookgate middleware, signature, createExpressServer",
    file: "hookgate-signature-server",
    kind: "signature",
  },
  { label: "octokit/webhooks in Express 5, createExpressServer", file: "octokit-server", kind: "signature" },
  { label: "hookgate in front of Express, signature", file: "hookgate-signature-front", kind: "signature" },
  { label: "Express 5 + express.json(), no authentication", file: "express-json", kind: "none" },
  { label: "Express 5 + key by hand + express-ipfilter", file: "express-key-ipfilter", kind: "key" },
  { label: "Express 5 + express-jwt + express-ipfilter", file: "express-jwt-ipfilter", kind: "jwt" },
  {
    label: "Express 5 + express-oauth2-jwt-bearer + express-ipfilter",
    file: "express-oauth2-jwt-bearer",
    kind: "jwt",
  },
  { label: "hookgate middleware, key", file: "hookgate-middleware", kind: "key" },
  { label: "hookgate middleware, JWT", file: "hookgate-middleware", kind: "jwt" },
  { label: "hookgate middleware, key, createExpressServer", file: "hookgate-server", kind: "key" },
  { label: "hookgate in front of Express, key", file: "hookgate-front", kind: "key" },
  { label: "hookgate in front of Express, JWT", file: "hookgate-front", kind: "jwt" },
  { label: "Express 5, handler of 20 ms", file: "express-overload", kind: "key" },
  { label: "hookgate, handler of 20 ms, maxConcurrent 64", file: "hookgate-overload", kind: "key" },
];

/** Scenarios that do not fit every contender. */
export function takesPart(contender, scenario) {
  if (scenario === "overload" || contender.file.endsWith("-overload")) {
    return scenario === "overload" && contender.file.endsWith("-overload");
  }
  if (scenario === "accept, token not seen before") return contender.kind === "jwt";
  if (scenario === "refuse: bad address") return /ipfilter|bearer|hookgate|checked/.test(contender.file);
  if (scenario.startsWith("refuse") || scenario === "mixed") return contender.kind !== "none";
  return true;
}
