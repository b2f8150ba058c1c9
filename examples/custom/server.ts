import { randomBytes } from "node:crypto";
import { secretOf, serve } from "../serve.js";

process.env.PADDLE_SECRET = secretOf("PADDLE_SECRET");
process.env.ZOOM_SECRET_TOKEN = secretOf("ZOOM_SECRET_TOKEN", () => randomBytes(16).toString("base64url"));
const { createApp } = await import("./app.js"); // behind the secrets, which its sources read

const { app, receivers } = createApp((line) => console.log(`  ${line}`));
const source = "--source build/examples/custom/sources.js";
const challenge = JSON.stringify({ event: "endpoint.url_validation", payload: { plainToken: "qgg8vlvZ" } });
const paid = `${source}#paddle --type transaction.paid`;
await serve({
  app,
  receivers,
  requests: [
    { about: "Paddle: a payment", path: "/hooks/paddle", send: paid, data: { data: { id: "txn_1" } } },
    {
      about: "Zoom: the challenge, when the URL is validated",
      path: "/hooks/zoom",
      send: `${source}#zoom --type endpoint.url_validation --body '${challenge}'`,
    },
    {
      about: "Zoom: a meeting",
      path: "/hooks/zoom",
      send: `${source}#zoom --type meeting.started`,
      data: { object: { topic: "Monday" } },
    },
    {
      about: "refused: forged",
      path: "/hooks/paddle",
      send: `${paid} --tamper`,
      data: { data: { id: "txn_1" } },
    },
  ],
});
