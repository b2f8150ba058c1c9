import { inboxFile, secretOf, serve } from "../serve.js";
import { createApp } from "./app.js";

const secret = secretOf("GITHUB_SECRET");
const { app, receiver } = createApp({
  secret,
  engine: inboxFile("github"),
  say: (line) => console.log(`  ${line}`),
});

const path = "/hooks/github";
const send = "--source github --secret-env GITHUB_SECRET";
const push = { ref: "refs/heads/main", pusher: { name: "ann" }, commits: [{}, {}] };
const issue = { issue: { number: 7, title: "It rains in" } };
await serve({
  app,
  receivers: [receiver],
  requests: [
    { about: "a push", path, send: `${send} --type push`, data: push },
    { about: "an issue", path, send: `${send} --type issues.opened`, data: issue },
    { about: "refused: forged", path, send: `${send} --type push --tamper`, data: push },
  ],
});
