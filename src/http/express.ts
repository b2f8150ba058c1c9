import type { Caller } from "../types/delivery.js";

declare global {
  // biome-ignore lint/style/noNamespace: Express's own way to let others add to its Request.
  namespace Express {
    interface Request {
      /** Who sent this request; set by `requireAuth` and by a receiver once the credential has passed. */
      caller?: Caller;
      /** The body's bytes; set by a receiver once it has read them. */
      rawBody?: Buffer;
    }
  }
}
