// Requests handed to a listener within this process, without a socket: for what sockets would take too long.
import { IncomingMessage, ServerResponse } from "node:http";

/**
 * Hands a POST to `listener` and resolves with the status it answers. `headers` is a flat list of names and values, as
 * `rawHeaders` has them, Content-Type and Content-Length left out.
 */
export function deliver(listener, { url = "/hooks/orders", headers, body, remoteAddress = "127.0.0.1" }) {
  return new Promise((resolve) => {
    const req = new IncomingMessage({ remoteAddress, destroyed: false });
    req.method = "POST";
    req.url = url;
    req.httpVersionMajor = 1;
    req.httpVersionMinor = 1;
    req.rawHeaders = ["Content-Type", "application/json", "Content-Length", String(body.length), ...headers];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      req.headers[req.rawHeaders[i].toLowerCase()] = req.rawHeaders[i + 1];
    }
    req.push(body);
    req.push(null);
    req.complete = true;
    const res = new ServerResponse(req);
    const { end } = res;
    res.end = (...parts) => {
      resolve(res.statusCode);
      return end.apply(res, parts);
    };
    listener(req, res);
  });
}
