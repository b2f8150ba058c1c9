/**
 * Writes the fixtures of this folder with the code of version 1 of the file, the release before this one:
 *
 *   git worktree add --detach ../old 51cadec && cd ../old && npm ci && npm run build && cd -
 *   node test/engines/version-1/make.mjs ../old/dist
 *
 * - inbox.sql: a file with tasks in every state, as SQL.
 * - events.json: what version 1 says of its events and counts.
 * - statements.json: the statements of version 1, and what SQLite answers them while version 1 goes on with that file:
 *   steps of [text, method, values, answer].
 *
 * The times and the consumers' numbers are given, so that the fixtures come out the same each time.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const dist = resolve(process.argv[2]);
const load = (file) => import(pathToFileURL(join(dist, "engines/sqlite", file)).href);
const { Store } = await load("store.js");
const { loadDriver } = await load("driver.js");
const { packDeliveries } = await load("pack.js");

const open = loadDriver();
const folder = mkdtempSync(join(tmpdir(), "hookgate-version-1-"));
const startMs = Date.parse("2026-03-01T12:00:00Z");
const ages = 100 * 365 * 86_400_000;
const boom = { name: "TypeError", code: "E_NET", message: "fetch failed" };
const invalid = {
  name: "EventInvalidError",
  code: "ERR_EVENT_INVALID",
  message: "bad",
  issues: ["total: a number"],
};

let nowMs = startMs;
const times = () => ({ wallMs: nowMs, storeMs: nowMs });

/** Keeps every statement that is run, with its answer. */
function recording(trace) {
  return (path, options) => {
    const db = open(path, options);
    const keep =
      (method, sql, statement) =>
      (...values) => {
        const result = statement[method](...values);
        trace.push({ method, sql, values: values.map(plain), result: plain(result) });
        return result;
      };
    return {
      exec: (sql) => db.exec(sql),
      close: () => db.close(),
      prepare(sql) {
        const statement = db.prepare(sql);
        return {
          run: keep("run", sql, statement),
          get: keep("get", sql, statement),
          all: keep("all", sql, statement),
        };
      },
    };
  };
}

/** A value as JSON holds it. */
function plain(value) {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function openStore(path, opener = open) {
  const store = new Store({ path, readOnly: false, busyTimeoutMs: 2_000, setup: [] }, opener);
  store.open();
  const ask = (request) => {
    nowMs += 1_000;
    const [reply] = store.handle([request], times());
    if (!reply.ok) throw reply.error;
    return reply.value;
  };
  return {
    close: () => store.close(),
    ask,
    accept: (...deliveries) => ask(packDeliveries(deliveries.map(deliveryOf))),
    claim: (consumer, handler, limit = 100, maxAttempts = 20) =>
      ask({ op: "claim", consumer, receiver: "orders", wants: [{ handler, limit, maxAttempts }] }),
    settle: (task, verdict) => ask({ op: "settle", claim: claimOf(task), verdict }),
    change(selection, change) {
      let count = 0;
      for (let after = 0; after !== undefined; ) {
        const step = ask({ op: "change", selection, change, after });
        count += step.count;
        after = step.next;
      }
      return count;
    },
    purge(options) {
      return ask({ op: "purge", events: ask({ op: "purgeable", options }) });
    },
  };
}

const claimOf = ({ recordId, handler, fence }) => ({
  event: Number(recordId.slice(4)),
  handler,
  receiver: "orders",
  fence,
});

/** `events`: id and tasks, by name, with an order key behind a colon. */
function deliveryOf({
  events,
  body,
  receiver = "orders",
  rememberMs = ages,
  tokenUse,
  caller,
  headers,
  type,
}) {
  const [first = ["-"]] = events;
  const rawBody = Buffer.from(body ?? JSON.stringify({ id: first[0] }));
  return {
    requestId: `req-${first[0].codePointAt(0)}-${first[0].length}`,
    method: "POST",
    url: "/hooks/orders?shop=7",
    headers: headers ?? { "content-type": "application/json" },
    address: "203.0.113.7",
    receivedAtMs: nowMs,
    caller: caller ?? { method: "service-key", tenant: "acme", service: "shop", credentialId: "key-1" },
    bodyKind: "json",
    rawBody,
    receiver,
    source: "",
    tenant: "acme",
    service: "shop",
    rememberMs,
    maxBacklog: 1_000_000,
    tokenUse,
    events: events.map(([id, ...tasks]) => ({
      id,
      type: type ?? "order.paid",
      digest: rawBody.toString("base64"),
      sameEvent: "id-and-body",
      tasks: tasks.map((text) => {
        if (typeof text !== "string") return text;
        const [handler, orderKey] = text.split(":");
        return { handler, orderKey };
      }),
    })),
  };
}

const done = { outcome: "done" };
const retry = (delayMs) => ({ outcome: "retry", delayMs, error: boom });
const dead = { outcome: "dead", error: boom };

/** A file in which everything occurs that a file of version 1 can hold. */
function fill(store) {
  const handlers = ["ship", "mail", "audit", "charge", "hold"].map((name) => ({
    name,
    hold: name === "hold",
  }));
  const join = (consumer) =>
    store.ask({ op: "join", consumer, receiver: "orders", leaseMs: 1_000, handlers });
  const one = (handler) => store.claim(7, handler, 1).tasks[0];
  join(7);
  store.ask({ op: "heartbeat", consumer: 7 });

  const token = { tokenId: "jti-1", expiresAtMs: startMs + ages, delivery: "delivery-1" };
  const jwt = {
    method: "jwt",
    tenant: "acme",
    service: "shop",
    credentialId: "jwt-1",
    claims: { sub: "s", jti: "jti-1" },
  };
  const headers = { "content-type": "application/json", "x-topic": ["a", "b"] };
  store.accept({
    events: [["done", "ship"]],
    caller: jwt,
    tokenUse: token,
    headers,
    body: Buffer.from([0, 255, 10, 13]),
  });
  store.settle(one("ship"), done);
  store.accept({ events: [["done after a failure", "ship"]] });
  store.settle(one("ship"), retry(0));
  store.settle(one("ship"), done);
  store.accept({ events: [["dead", "ship"]] });
  store.settle(one("ship"), dead);
  store.accept({ events: [["dead by attempts", "ship"]] });
  store.settle(one("ship"), retry(0));
  store.ask({
    op: "claim",
    consumer: 7,
    receiver: "orders",
    wants: [{ handler: "ship", limit: 1, maxAttempts: 1 }],
  });
  store.accept({
    events: [["parked", { handler: "ship", dead: invalid }, { handler: "mail", dead: invalid }]],
  });
  store.accept({ events: [["dropped", "ship"]] });
  store.change({ recordIds: ["rec_6"] }, { action: "drop" });
  store.accept({ events: [["dropped when dead", "ship"]] });
  store.settle(one("ship"), dead);
  store.change({ recordIds: ["rec_7"] }, { action: "drop" });
  store.accept({ events: [["replayed, done again", "ship"]] });
  store.settle(one("ship"), dead);
  store.change({ recordIds: ["rec_8"] }, { action: "replay" });
  store.settle(one("ship"), done);
  store.accept({ events: [["replayed for another", "ship"]] });
  store.settle(one("ship"), done);
  store.change({ recordIds: ["rec_9"] }, { action: "replay", handlers: ["audit"] });
  store.accept({ events: [["ignored"]], type: "order.unknown" });
  store.accept({
    events: [["first of three", "ship"], ["second of three", "ship", "mail"], ["third of three"]],
  });
  store.settle(one("ship"), done);
  store.settle(one("ship"), retry(ages));
  store.settle(one("mail"), done);
  store.accept({ events: [["lost, then taken over", "mail"]] });
  one("mail");
  store.ask({ op: "expire", consumer: 7, beat: 1 });
  join(7);
  store.settle(one("mail"), done);
  store.accept({ events: [["given back", "mail"]] });
  store.settle(one("mail"), { outcome: "release" });

  // Purged: one whose id is remembered, one whose id is not, and the first of several of one delivery.
  store.accept({ events: [["purged, remembered", "charge"]] });
  store.settle(one("charge"), done);
  store.accept({ events: [["purged, forgotten", "charge"]], rememberMs: 1 });
  store.settle(one("charge"), done);
  store.accept({
    events: [
      ["purged, the other waits", "charge"],
      ["the other of the purged", "audit"],
    ],
  });
  store.settle(one("charge"), done);
  store.ask({ op: "purge", events: [16, 17, 18] });
  store.accept({ events: [["remembered no longer", "charge"]], rememberMs: 1 });
  store.settle(one("charge"), done);

  // Order: behind one that waits for a later attempt, behind a dead letter that holds, behind one that runs.
  store.accept({ events: [["key a, retrying", "ship:a"]] }, { events: [["key a, behind", "ship:a"]] });
  store.ask({ op: "heartbeat", consumer: 7 });
  store.settle(one("ship"), retry(ages));
  store.accept({ events: [["key b, dead", "hold:b"]] }, { events: [["key b, behind", "hold:b"]] });
  store.settle(one("hold"), dead);
  store.accept({ events: [["key c, running", "charge:c"]] }, { events: [["key c, behind", "charge:c"]] });
  store.accept({ events: [["key d, waiting", "ship:d"]] }, { events: [["key d, behind", "ship:d"]] });

  // What no database holds as it is.
  const odd = ["nul\0 behind", "\uD800 alone", "\u0001 in front", "Zoë 🪝"];
  store.accept({
    events: [
      [odd[0], "audit"],
      [odd[1], "audit:\0"],
      [odd[2], "audit"],
      [odd[3], "audit:\u0001"],
    ],
  });
  store.accept({ events: [["of another receiver", "ship"]], receiver: "returns" });
  store.accept({ events: [["tried, and due again", "mail"]] });
  store.claim(7, "mail", 1);
  store.settle(store.claim(7, "mail", 1).tasks[0], retry(0));
  store.accept({ events: [["waiting", "ship", "mail", "audit"]] });
  // By a process that is killed now.
  store.claim(7, "charge");
  store.ask({ op: "heartbeat", consumer: 7 });
}

/** Goes on as a process of version 1 does: one that was started before the file was updated. */
function goOn(store) {
  const handlers = ["ship", "mail", "audit", "charge", "hold"].map((name) => ({
    name,
    hold: name === "hold",
  }));
  store.ask({ op: "join", consumer: 8, receiver: "orders", leaseMs: 1_000, handlers });
  const pulse = store.ask({ op: "heartbeat", consumer: 8 });
  for (const { consumer, beat } of pulse.others) store.ask({ op: "expire", consumer, beat });
  store.accept({
    events: [["new", "ship", "mail"]],
    tokenUse: { tokenId: "jti-2", expiresAtMs: nowMs + ages, delivery: "d" },
  });
  store.accept({ events: [["new, held", "hold:b"]] }, { events: [["new, key d", "ship:d"]] });
  store.accept({ events: [["waiting", "ship"]] }, { events: [["waiting", "ship"]], body: "other" });
  store.accept({
    events: [["again", "ship"]],
    tokenUse: { tokenId: "jti-1", expiresAtMs: nowMs + ages, delivery: "other" },
  });
  store.accept(
    { events: [["remembered no longer", "ship"]] },
    { events: [["unread", "ship"]], receiver: "returns" },
  );
  for (const handler of ["ship", "mail", "audit", "charge", "hold"]) {
    const { tasks } = store.claim(8, handler, 4);
    const verdicts = [done, retry(0), dead, { outcome: "release" }];
    for (const [index, task] of tasks.entries()) {
      store.settle(task, verdicts[index]);
      store.settle(task, done);
    }
  }
  store.claim(8, "ship", 100, 1);
  const completed = store.claim(8, "audit", 1).tasks[0];
  store.ask({ op: "complete", claim: claimOf(completed), statements: [] });
  store.change(
    { filter: { receiver: "orders", state: "dead", handler: "ship" } },
    { action: "replay", dryRun: true },
  );
  store.change({ filter: { receiver: "orders", state: "dead", handler: "ship" } }, { action: "replay" });
  store.change({ filter: { receiver: "orders", type: "order.paid", idContains: "key" } }, { action: "drop" });
  store.change({ recordIds: ["rec_1", "rec_2"] }, { action: "replay", handlers: ["audit"] });
  for (const state of ["pending", "dead", "done", "ignored"]) {
    store.ask({ op: "list", query: { receiver: "orders", state, limit: 3 } });
    store.ask({ op: "list", query: { state, handler: "ship", oldestFirst: true, limit: 2, cursor: "3" } });
  }
  const own = { source: "", tenant: "acme", service: "shop", fromMs: startMs, beforeMs: nowMs };
  store.ask({ op: "list", query: { type: "order.paid", ...own } });
  store.ask({ op: "get", recordId: "rec_2" });
  store.ask({ op: "get", recordId: "rec_8" });
  store.ask({ op: "stats", receiver: "orders" });
  store.ask({ op: "stats", receiver: undefined });
  store.purge({ receiver: "orders", state: "done", beforeMs: nowMs, keep: 1, limit: 3 });
  store.purge({ receiver: "orders", state: "dead", limit: 500 });
  store.ask({ op: "leave", consumer: 8 });
}

function read(store) {
  const records = [];
  for (let cursor; ; ) {
    const page = store.ask({ op: "list", query: { oldestFirst: true, limit: 1_000, cursor } });
    for (const { recordId } of page.items) records.push(plain(store.ask({ op: "get", recordId })));
    if (page.next === undefined) return { records, stats: plain(store.ask({ op: "stats" })) };
    cursor = page.next;
  }
}

/** All tables as SQL. Text that an editor may not keep is written by its bytes. */
function dump(path) {
  const db = open(path, { readOnly: true });
  const of = (kind) =>
    db
      .prepare("SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL ORDER BY rowid")
      .all(kind);
  const lines = [];
  for (const { sql } of of("table")) lines.push(`${sql};`);
  for (const { name } of of("table")) {
    const columns = db.prepare(`SELECT name FROM pragma_table_info('${name}')`).all();
    const literals = columns.map(
      ({ name: column }) =>
        `CASE WHEN typeof(${column}) = 'text' AND ${column} GLOB '*[^ -~]*' THEN 'CAST(' || quote(CAST(${column} AS BLOB)) || ' AS TEXT)' ELSE quote(${column}) END`,
    );
    const rows = db.prepare(`SELECT ${literals.join(" || ',' || ")} AS row FROM ${name}`).all();
    for (const { row } of rows) lines.push(`INSERT INTO ${name} VALUES (${row});`);
  }
  for (const { sql } of of("index")) lines.push(`${sql};`);
  db.close();
  return `${lines.join("\n")}\n`;
}

const first = join(folder, "first.db");
const made = openStore(first);
fill(made);
made.close();
const ledger = open(first, { readOnly: false });
ledger.exec("UPDATE hookgate_ledger SET applied_at = '2026-03-01 12:00:00'");
ledger.close();
const sql = dump(first);

const second = join(folder, "second.db");
const db = open(second, { readOnly: false });
db.exec(sql);
db.close();
if (dump(second) !== sql) throw new Error("the SQL does not give the same tables");

const trace = [];
const again = openStore(second, recording(trace));
const { records, stats } = read(again);
trace.length = 0;
goOn(again);
again.close();
rmSync(folder, { recursive: true });

const write = (name, text) => writeFileSync(new URL(name, import.meta.url), text);
/** One element a line. */
const lines = (list) => `[\n${list.map((one) => JSON.stringify(one)).join(",\n")}\n]`;
write("inbox.sql", sql);
write("events.json", `{"stats":${JSON.stringify(stats)},\n"records":${lines(records)}}\n`);
const texts = [...new Set(trace.map(({ sql: text }) => text))];
const steps = trace.map(({ method, sql: text, values, result }) => [
  texts.indexOf(text),
  method,
  values,
  result,
]);
write("statements.json", `{"texts":${lines(texts)},\n"steps":${lines(steps)}}\n`);
