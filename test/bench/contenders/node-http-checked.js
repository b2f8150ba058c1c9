// Written by hand on node:http with the checks that ours makes: digest of the key compared in constant time, address,
// limit, deadline, media type, strict UTF-8 and JSON (duplicate members and depth found by a reviver-free walk).
import { isUtf8 } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { BlockList } from "node:net";
import { handle } from "../settings.js";

const maxBytes = 262_144;

export function create({ key, allowed }) {
  const expected = createHash("sha256").update(key).digest();
  const list = new BlockList();
  for (const range of allowed) {
    const [address, prefix] = range.split("/");
    list.addSubnet(address, Number(prefix), address.includes(":") ? "ipv6" : "ipv4");
  }
  return createServer((req, res) => {
    const refuse = (status) => res.writeHead(status, { "Content-Length": 0 }).end();
    if (req.method !== "POST") return refuse(405);
    const address = (req.socket.remoteAddress ?? "").replace("::ffff:", "");
    if (!list.check(address, address.includes(":") ? "ipv6" : "ipv4")) return refuse(403);
    if (Number(req.headers["content-length"]) > maxBytes) return refuse(413);
    if (req.headers["content-type"] !== "application/json") return refuse(415);
    const digest = createHash("sha256")
      .update(req.headers.key ?? "")
      .digest();
    if (!timingSafeEqual(digest, expected)) return refuse(401);
    const chunks = [];
    let length = 0;
    const deadline = setTimeout(() => refuse(408), 10_000);
    req.on("data", (chunk) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
    });
    req.on("end", () => {
      clearTimeout(deadline);
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      if (!isUtf8(body)) return refuse(400);
      const text = body.toString("utf8");
      if (!isStrict(text)) return refuse(400);
      handle(JSON.parse(text));
      const answer = '{"status":"handled"}';
      res.writeHead(200, { "Content-Type": "application/json", "Content-Length": answer.length });
      res.end(answer);
    });
  });
}

/** The scan one would write: a stack of Sets, one per open object. */
function isStrict(text) {
  const stack = [];
  let wantsKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b:
        if (stack.push(new Set()) > 64) return false;
        wantsKey = true;
        break;
      case 0x5b:
        if (stack.push(null) > 64) return false;
        wantsKey = false;
        break;
      case 0x7d:
      case 0x5d:
        stack.pop();
        break;
      case 0x2c:
        wantsKey = stack.at(-1) !== null;
        break;
      case 0x22: {
        const start = i;
        for (i++; text.charCodeAt(i) !== 0x22; i++) {
          if (i >= text.length) return false;
          if (text.charCodeAt(i) === 0x5c) i++;
        }
        if (!wantsKey) break;
        wantsKey = false;
        const name = text.slice(start + 1, i);
        const names = stack.at(-1);
        const decoded = name.includes("\\") ? JSON.parse(`"${name}"`) : name;
        if (names.has(decoded)) return false;
        names.add(decoded);
      }
    }
  }
  return true;
}
