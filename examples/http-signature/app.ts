// A partner who signs as RFC 9421 (HTTP Message Signatures) says, with a key pair of its own: you have the public key alone.
// What must be signed stands here, not in the request: method, URL and, by Content-Digest, the body.
import express, { type Express } from "express";
import { createReceiver, type Logger } from "hookgate";
import { httpMessageSignatures } from "hookgate/http-signature";
import { z } from "zod";

export interface AppOptions {
  /** The partner's Ed25519 key, PEM. */
  readonly publicKey: string;
  /** The origin that the partner calls, such as https://hooks.example.com. */
  readonly publicUrl: string;
  readonly say: (line: string) => void;
  readonly logger?: Logger;
}

export function createApp({ publicKey, publicUrl, say, logger }: AppOptions) {
  const receiver = createReceiver({
    name: "partner",
    source: httpMessageSignatures({
      keys: [{ id: "partner-1", algorithm: "ed25519", publicKey }],
      publicUrl,
      required: ["@method", "@target-uri"],
    }),
    events: { "shipment.sent": z.object({ id: z.string(), parcel: z.string() }) },
    logger,
  });
  receiver.on("shipment.sent", ({ data }) => say(`parcel ${data.parcel} is on its way`));

  const app: Express = express();
  app.all("/hooks/partner", receiver.middleware());
  return { app, receiver };
}
