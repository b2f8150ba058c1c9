/** A server that ends on signals: told how by HOOKGATE_SIGNALS. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { closeOnSignals } from "../../src/http/signals.js";
import type { Duration } from "../../src/lib/duration.js";

const {
  receivers = 1,
  rejects = false,
  ...options
} = JSON.parse(process.env.HOOKGATE_SIGNALS ?? "{}") as {
  readonly receivers?: number;
  readonly rejects?: boolean;
  readonly grace?: Duration;
};

const waiting: ServerResponse[] = [];
const server = createServer((_req, res) => {
  waiting.push(res);
  process.stdout.write("slow began\n");
});
process.on("SIGUSR2", () => {
  for (const res of waiting) res.end();
});

const receiver = {
  async close({ grace }: { readonly grace: Duration }): Promise<void> {
    process.stdout.write(`receiver closed with ${grace}\n`);
    if (rejects) throw new Error("as it was told to");
  },
};
closeOnSignals(server, Array<typeof receiver>(receivers).fill(receiver), options);
setInterval(() => {}, 60_000);
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`ready ${(server.address() as AddressInfo).port}\n`);
});
