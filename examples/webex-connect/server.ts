// Runs the example with one tenant and one service, made up at the start: `npm run example:webex-connect`. Point a client
// of Webex Connect at it: its base URL and the key are all that changes.
import { randomBytes } from "node:crypto";
import { defineCredentials } from "hookgate";
import { webexConnectServiceJwt } from "hookgate/webex-connect";
import { SignJWT } from "jose";
import { listen } from "../serve.js";
import { createApp, inboundWebhook, routes } from "./app.js";

const serviceKey = randomBytes(32).toString("base64url");
const profileKey = randomBytes(32).toString("base64url");
const serviceId = "demo-service-id";
const serviceSecret = randomBytes(32);

const credentials = defineCredentials({
  tenants: {
    demo: {
      profileKeys: [{ id: "profile-key-1", key: profileKey }],
      // The tenant's allowlist holds for every API: the vendor takes IPv4 only, we take both.
      allowIps: ["127.0.0.1", "::1"],
      services: {
        demo: {
          serviceKeys: [{ id: "service-key-1", key: serviceKey }],
          jwt: [webexConnectServiceJwt({ serviceId, secret: serviceSecret.toString("base64") })],
        },
      },
    },
  },
});

const token = await new SignJWT({})
  .setProtectedHeader({ alg: "HS256", typ: "JWT" })
  .setIssuer(serviceId)
  .setIssuedAt()
  .sign(serviceSecret);

const say = (what: string) => (data: unknown, service: string) =>
  console.log(`  ${what} for ${service}:`, JSON.stringify(data));
const app = createApp({
  credentials,
  onEvent: say("inbound webhook"),
  onCustomEvent: say("custom event"),
  onMessage: say("message"),
});
listen(app, [], (url) => {
  for (const { api, path, accept, sample } of [...routes, inboundWebhook]) {
    console.log(`\n# ${api}: ${accept.join(" or ")}`);
    for (const kind of accept) {
      const header =
        kind === "jwt"
          ? `authorization: Bearer ${token}`
          : `key: ${kind === "service-key" ? serviceKey : profileKey}`;
      console.log(
        `curl -i ${url}${path} -H 'content-type: application/json' -H '${header}' -d '${JSON.stringify(sample)}'`,
      );
    }
  }
});
