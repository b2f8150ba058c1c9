// What every inbox written by hand has before its store: Express 5, the service key, express.json(), the body kept as it came.
import { createServer } from "node:http";
import express from "express";

/** `store(event, rawBody)` resolves with whether the event is new, once it cannot be lost. */
export function createExpressInbox({ key }, store) {
  const app = express();
  app.post(
    "/hooks/orders",
    (req, res, next) => (req.get("key") === key ? next() : res.status(401).json({ error: "unauthorized" })),
    express.json({
      limit: 262_144,
      verify: (req, _res, rawBody) => {
        req.rawBody = rawBody;
      },
    }),
    async (req, res) => {
      const { id, type } = req.body;
      if (typeof id !== "string" || typeof type !== "string")
        return res.status(422).json({ error: "invalid" });
      const isNew = await store(req.body, req.rawBody);
      if (isNew) res.status(202).json({ status: "accepted", id });
      else res.status(200).json({ status: "duplicate", id });
    },
  );
  app.use((error, _req, res, _next) => res.status(error.status ?? 503).json({ error: "not stored" }));
  return createServer(app);
}

/**
 * Stores in groups: what comes while a group is under way is the next one, as long as `most` allow. `storeGroup(items)`
 * resolves with an answer for each.
 */
export function inGroups(storeGroup, most = 256) {
  const waiting = [];
  let isBusy = false;
  const send = async () => {
    isBusy = true;
    while (waiting.length > 0) {
      const group = waiting.splice(0, most);
      try {
        const answers = await storeGroup(group.map(({ item }) => item));
        for (const [at, { resolve }] of group.entries()) resolve(answers[at]);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    isBusy = false;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Behind what came with the same turn of the event loop.
      if (!isBusy) setImmediate(() => isBusy || send());
    });
}
