// What the servers of the examples share: secrets from the environment or made up, a file for the inbox, requests to
// paste, and an end that loses nothing. An app of one's own needs of it `listen` and `closeOnSignals` alone.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Express } from "express";
import { closeOnSignals, type Receiver } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { type SqliteTransaction, sqliteEngine } from "hookgate/sqlite";

/** What a receiver has to do with a server. */
type Running = Pick<Receiver, "start" | "close">;

/** A request to paste: `hookgate send` writes the event, signs it and sends it. */
interface Paste {
  /** Begins with "refused" where it shall be. */
  readonly about: string;
  readonly path: string;
  /** Options of `hookgate send`. */
  readonly send: string;
  readonly data?: object;
}

interface Serving {
  readonly app: Express;
  readonly receivers: readonly Running[];
  readonly requests: readonly Paste[];
}

const madeUp: string[] = [];

/** A secret by the name of its variable; where that is not set, one for this run. */
export function secretOf(variable: string, make = () => randomBytes(32).toString("base64url")): string {
  const given = process.env[variable];
  if (given !== undefined) return given;
  const secret = make();
  madeUp.push(`export ${variable}='${secret}'`);
  return secret;
}

/** Writes a sender's private key, which its receiver never has, to where `hookgate send` finds it until the end. */
export function keyFile(pem: string): string {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-example-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "private-key.pem");
  writeFileSync(path, pem, { mode: 0o600 });
  return path;
}

/** The inbox's file: that of the variable DB, or one that the next run finds again. */
export function inboxFile(name: string, setup: readonly string[] = []): InboxEngine<SqliteTransaction> {
  return sqliteEngine(process.env.DB ?? join(tmpdir(), `hookgate-${name}.db`), { setup });
}

export async function serve({ app, receivers, requests }: Serving): Promise<void> {
  await Promise.all(receivers.map((receiver) => receiver.start()));
  listen(app, receivers, (url) => print(url, requests));
}

/** Listens on the port of the variable PORT; a port that is taken or not allowed is one clear line. */
export function listen(
  app: Express,
  receivers: readonly Pick<Receiver, "close">[],
  listening: (url: string) => void,
): void {
  const server = createServer(app);
  server.on("error", (error: NodeJS.ErrnoException) => {
    console.error(portProblem(error));
    process.exit(1);
  });
  server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
    listening(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  closeOnSignals(server, receivers);
}

function portProblem({ code, message }: NodeJS.ErrnoException): string {
  return code === "EADDRINUSE"
    ? "The port is taken; choose another one: PORT=3001 npm run example -- …"
    : `The server cannot listen: ${message}`;
}

function print(url: string, requests: readonly Paste[]): void {
  console.log(`\nListening on ${url}. Paste into another terminal, in this folder:\n`);
  if (madeUp.length > 0) console.log(`# the secrets of this run\n${madeUp.join("\n")}\n`);
  for (const { about, path, send, data } of requests) {
    const body = data === undefined ? "" : ` \\\n  --data '${JSON.stringify(data)}'`;
    console.log(`# ${about}\nnode dist/cli/main.js send --url '${url}${path}' \\\n  ${send}${body}\n`);
  }
  console.log("What arrives is shown below.\n");
}
