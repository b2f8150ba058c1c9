import { inboxFile, secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const { app, receiver } = createApp({
  secret: secretOf("SLACK_SIGNING_SECRET"),
  engine: inboxFile("slack"),
  say: (line) => console.log(`  ${line}`),
  // Of the made-up command below there is nobody to reply to.
  fetch: async (url, init) => {
    console.log(`  reply to ${url}: ${init?.body}`);
    return new Response();
  },
});

const path = "/hooks/slack";
const send = "--source slack --secret-env SLACK_SIGNING_SECRET";
const challenge = JSON.stringify({ type: "url_verification", challenge: "3eZbrw1a" });
const mention = { event: { type: "app_mention", user: "U1", text: "hello" } };
const command = { user_id: "U1", text: "api", response_url: "https://hooks.slack.com/commands/1" };
await serve({
  app,
  receivers: [receiver],
  requests: [
    {
      about: "the challenge, when the URL is saved",
      path,
      send: `${send} --type url_verification --body '${challenge}'`,
    },
    { about: "an event", path, send: `${send} --type app_mention`, data: mention },
    { about: "a command", path, send: `${send} --type command.deploy`, data: command },
    { about: "refused: forged", path, send: `${send} --type command.deploy --tamper`, data: command },
  ],
});
