import { createHmac } from "node:crypto";

/** The same for every contender. The key and secret guard nothing. */
export const settings = {
  key: "bench-service-key-0123456789abcdef0123456789abcdef",
  issuer: "orders",
  audience: "https://hooks.example/in",
  secret: "bench-secret-0123456789abcdef-0123456789abcdef",
  allowed: ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"],
  refusing: ["203.0.113.0/24", "2001:db8::/32"],
};

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An HS256 token, valid for an hour; `jti` makes it one of its kind. */
export function token({ secret = settings.secret, issuer = settings.issuer, jti = "bench" } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    aud: settings.audience,
    sub: "orders",
    iat: now,
    exp: now + 3600,
    jti,
  };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** What a handler does with an event: reads it, and next to nothing else. */
export function handle(event) {
  if (typeof event.orderId !== "string") throw new Error("no order");
  handle.count = (handle.count ?? 0) + 1;
}
