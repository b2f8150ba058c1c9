// Who stores deliveries before the 2xx. `way` is how the file's contender does it; `service` what it needs beside itself.
export const base = "Express 5 + SQLite, group commit by hand";

export const inboxContenders = [
  { label: "Express 5 + SQLite, one insert per request", file: "inbox-sqlite-each" },
  { label: base, file: "inbox-sqlite-group" },
  { label: "Express 5 + SQLite, group commit by hand in a worker thread", file: "inbox-sqlite-thread" },
  { label: "Express 5 + BullMQ, one by one", file: "inbox-bullmq", way: "each", service: "redis" },
  { label: "Express 5 + BullMQ, addBulk", file: "inbox-bullmq", way: "group", service: "redis" },
  { label: "Express 5 + pg-boss, one by one", file: "inbox-pg-boss", way: "each", service: "postgresql" },
  {
    label: "Express 5 + pg-boss, insert in bulk",
    file: "inbox-pg-boss",
    way: "group",
    service: "postgresql",
  },
  { label: "hookgate middleware + SQLite", file: "inbox-hookgate", way: "middleware" },
  {
    label: "hookgate middleware + SQLite, createExpressServer",
    file: "inbox-hookgate",
    way: "express-server",
  },
  { label: "hookgate middleware + SQLite, with workers", file: "inbox-hookgate", way: "middleware-workers" },
  { label: "hookgate requestListener + SQLite", file: "inbox-hookgate", way: "front" },
];

/** What handles while it accepts, and what it is compared with: the rest is the cost of handling. */
export const handling = {
  label: "hookgate middleware + SQLite, with workers",
  without: "hookgate middleware + SQLite",
};
