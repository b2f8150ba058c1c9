// The store in a process of its own, for store-process.js. Frames on standard input and output: two lengths, JSON, bytes.
import { loadDriver } from "../../dist/inbox/sqlite/driver.js";
import { decodeRequests, encodeReplies } from "../../dist/inbox/sqlite/protocol.js";
import { Store } from "../../dist/inbox/sqlite/store.js";
import { FrameReader, writeFrame } from "./frames.js";

const store = new Store(JSON.parse(process.argv[2]), loadDriver());
const reader = new FrameReader((message, bytes) => {
  if (message.op === "open") writeFrame(process.stdout, { clock: store.open() }, []);
  else if (message.op === "cpu") writeFrame(process.stdout, process.cpuUsage(), []);
  else if (message.op === "close") {
    store.close();
    process.exit();
  } else {
    const requests = decodeRequests({ json: message.json, bytes, others: message.others });
    const { json, others, bytes: bodies } = encodeReplies(requests, store.handle(requests, message.times));
    writeFrame(process.stdout, { json, others }, bodies);
  }
});
process.stdin.on("data", (chunk) => reader.push(chunk));
