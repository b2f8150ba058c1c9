// fastify with a key check in a hook.
import fastify from "fastify";
import { handle } from "../settings.js";

export async function create({ key }) {
  const app = fastify({ bodyLimit: 262_144 });
  app.post(
    "/hooks/orders",
    {
      onRequest: async (request, reply) => {
        if (request.headers.key !== key) return reply.code(401).send({ error: "unauthorized" });
      },
    },
    async (request) => {
      handle(request.body);
      return { status: "handled" };
    },
  );
  await app.ready();
  return app.server;
}
