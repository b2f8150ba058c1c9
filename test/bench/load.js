// Closed-loop load over keep-alive connections: each sends a request, waits for the whole answer, sends the next.
import { connect } from "node:net";

/**
 * Sends `next()` over and over for `durationMs`, or until about `requests` were answered, and resolves with the number of
 * answers, their statuses and latencies in microseconds. Connections that the server closes are opened again.
 */
export async function load({ port, connections, durationMs = Infinity, requests = Infinity, next }) {
  const tally = { count: 0, statuses: new Map(), latencies: [] };
  const endsAt = performance.now() + durationMs;
  const isOver = () => tally.count >= requests || performance.now() >= endsAt;
  stayAwake(isOver);
  await Promise.all(Array.from({ length: connections }, () => one({ port, isOver, next, tally })));
  tally.latencies.sort((a, b) => a - b);
  return tally;
}

/**
 * Keeps this process from sleeping: waking a process costs whoever writes to it, and that would be the server, the more
 * so the slower it is.
 */
function stayAwake(isOver) {
  if (!isOver()) setImmediate(stayAwake, isOver);
}

function one({ port, isOver, next, tally }) {
  return new Promise((resolve, reject) => {
    let socket;
    let startedAt = 0;
    let answer = "";
    const send = () => {
      if (isOver()) return finish();
      answer = "";
      startedAt = performance.now();
      socket.write(next());
    };
    const finish = () => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.destroy();
      resolve();
    };
    const open = () => {
      socket = connect(port, "127.0.0.1", send);
      socket.setNoDelay(true);
      socket.on("error", reject);
      socket.on("close", () => (isOver() ? resolve() : open()));
      socket.on("data", (chunk) => {
        answer += chunk.latin1Slice();
        const end = endOf(answer);
        if (end === -1 || answer.length < end) return;
        const status = answer.slice(9, 12);
        tally.count++;
        tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
        tally.latencies.push((performance.now() - startedAt) * 1000);
        // A connection that is about to close is left to do so.
        if (/\r\nconnection: close\r\n/i.test(answer)) return;
        send();
      });
    };
    open();
  });
}

/** Where an answer ends; -1 while its head is not complete. */
function endOf(answer) {
  const head = answer.indexOf("\r\n\r\n");
  if (head === -1) return -1;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer);
  if (length !== null) return head + 4 + Number(length[1]);
  const chunkedEnd = answer.indexOf("\r\n0\r\n\r\n", head);
  if (/\r\ntransfer-encoding: *chunked/i.test(answer)) return chunkedEnd === -1 ? -1 : chunkedEnd + 7;
  return head + 4;
}
