import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { certificate, certificateKey } from "./tls-fixture.js";

/** An HTTPS server on loopback that answers as the test says. */
export interface KeySetServer {
  readonly port: number;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  /** How the next requests are answered; an object is sent as JSON. */
  answer: object | ((req: IncomingMessage, res: ServerResponse) => void);
  close(): Promise<void>;
}

export async function startKeySetServer(): Promise<KeySetServer> {
  const server = createServer({ cert: certificate, key: certificateKey }, (req, res) => {
    started.requests.push(req.url ?? "");
    const { answer } = started;
    if (typeof answer === "function") answer(req, res);
    else res.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const started = {
    port: (server.address() as AddressInfo).port,
    requests: [] as string[],
    answer: {} as KeySetServer["answer"],
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return started;
}
