/** The least that an engine can be, a Map without capabilities: proves the conformance suite on what is not SQLite. */
import type * as Inbox from "hookgate/engine";
import { createConsumer } from "../../src/inbox/polling/claim-loop.js";
import type { ClaimedTask, Claims, TaskQueue } from "../../src/inbox/polling/task-queue.js";
import { storedPart } from "../../src/testing/engine-conformance/scene.js";
import * as records from "./map-records.js";

export class MapEngine implements Inbox.InboxEngine {
  readonly capabilities = {
    durable: false,
    shared: false,
    atomicEffects: false,
    ordered: false,
    search: false,
  };
  readonly #events = new Map<string, records.MapEvent>();
  readonly #ids = new Map<string, { readonly digest: string; readonly untilMs: number }>();
  readonly #tokens = new Map<string, string>();
  readonly #throughput = { spanMs: 60_000, accepted: 0, handled: 0, failed: 0, dead: 0 };
  #last = 0;

  async open(): Promise<void> {}
  async close(): Promise<void> {}

  async accept(deliveries: readonly Inbox.NewDelivery[]): Promise<readonly Inbox.Acceptance[]> {
    return deliveries.map((delivery) => this.#acceptOne(delivery));
  }

  consume(options: Inbox.ConsumeOptions<never>): Inbox.Consumer {
    const queue: TaskQueue<never> = {
      claim: async (wants) => this.#claim(wants, options),
      settle: async (runs) => runs.map(({ task, verdict }) => this.#settle(task, verdict)),
      complete: async (task) => this.#settle(task, { outcome: "done" }),
      heartbeat: async () => true,
      onWork: () => () => undefined,
      leave: async () => undefined,
    };
    return createConsumer(queue, options, { openTx: undefined, note: () => undefined, pollMs: 5 });
  }

  async list(query: Inbox.InboxQuery): Promise<Inbox.Page<Inbox.EventRecord>> {
    return records.list(this.#events, query);
  }

  async get(recordId: string): Promise<Inbox.EventRecord | undefined> {
    const event = this.#events.get(recordId);
    return event === undefined ? undefined : records.get(event);
  }

  async change(selection: Inbox.Selection, change: Inbox.Change): Promise<Inbox.Changed> {
    return records.change(this.#events, selection, change);
  }

  async stats({ receiver }: { readonly receiver?: string | undefined }): Promise<Inbox.InboxStats> {
    return { ...records.stats(this.#events, receiver), throughput: { ...this.#throughput } };
  }

  async purge(options: Inbox.PurgeOptions): Promise<number> {
    const purged = records.purgeable(this.#events, options);
    for (const { recordId } of purged) this.#events.delete(recordId);
    return purged.length;
  }

  #acceptOne(given: Inbox.NewDelivery): Inbox.Acceptance {
    const { receiver, source, tenant, service, tokenUse, maxBacklog, rememberMs } = given;
    const used = this.#tokens.get(tokenUse?.tokenId ?? "");
    if (used !== undefined && used !== tokenUse?.delivery) return { status: "replayed" };
    const events = given.events.map((event, position) => {
      const key = JSON.stringify([receiver, source, tenant, service, event.id]);
      const { digest, untilMs = 0 } = this.#ids.get(key) ?? {};
      return { ...event, position, key, known: untilMs > Date.now() ? digest : undefined };
    });
    const fresh = events.filter(({ known }) => known === undefined);
    const differing = events.filter(({ known, digest }) => known !== undefined && known !== digest);
    const conflict = differing.find(({ deduplicateBy }) => deduplicateBy !== "id");
    if (conflict !== undefined) return { status: "conflict", id: conflict.id };
    const tasks = records.find(this.#events, { receiver }).flatMap((event) => event.tasks);
    const backlog = tasks.filter(records.isOpen).length;
    const added = fresh.flatMap((event) => event.tasks).filter(({ dead }) => dead === undefined).length;
    if (added > 0 && backlog + added > maxBacklog) return { status: "full", backlog };
    if (tokenUse !== undefined) this.#tokens.set(tokenUse.tokenId, tokenUse.delivery);
    if (fresh.length === 0) return { status: "duplicate", bodyDiffers: differing.length > 0 };
    const delivery = { ...storedPart(given), rawBody: Buffer.from(given.rawBody) };
    const scope = { receiver, source, tenant, service, delivery, acceptedAtMs: Date.now(), replays: [] };
    const recordIds = fresh.map(({ id, type, position, key, digest, tasks: wanted }) => {
      const recordId = `rec_${++this.#last}`;
      const event = { ...scope, recordId, id, type, position, tasks: wanted.map(records.toTask) };
      this.#events.set(recordId, event);
      this.#ids.set(key, { digest, untilMs: Date.now() + rememberMs });
      this.#throughput.accepted++;
      return recordId;
    });
    return { status: "stored", recordIds, positions: fresh.map(({ position }) => position) };
  }

  #claim(
    wants: readonly { readonly handler: string; readonly limit: number }[],
    { receiver, handlers }: Inbox.ConsumeOptions<never>,
  ): Claims {
    const [tasks, dead]: [ClaimedTask[], Inbox.SettledReport[]] = [[], []];
    for (const { handler, limit } of wants) {
      const maxAttempts = handlers.get(handler)?.maxAttempts ?? 0;
      const isDue = (task: records.MapTask): boolean =>
        task.handler === handler && task.dueAtMs !== undefined && task.dueAtMs <= Date.now();
      const due = records.find(this.#events, { receiver }).filter((event) => event.tasks.some(isDue));
      for (const { recordId, id, type, position, delivery, tasks: all } of due.slice(0, limit)) {
        const task = all.find(isDue);
        if (task === undefined) continue;
        const about = { recordId, handler, event: { id, type } };
        task.dueAtMs = undefined;
        if (task.attempts < maxAttempts) {
          Object.assign(task, { state: "running", fence: ++this.#last, startedAtMs: Date.now() });
          tasks.push({ ...about, attempt: ++task.attempts, fence: task.fence, position, delivery });
        } else {
          const error = { name: "Error", message: "out of attempts" };
          Object.assign(task, { state: "dead", lastError: error });
          const verdict = { outcome: "dead", error } as const;
          dead.push({ ...about, attempt: task.attempts, verdict, kept: true });
        }
      }
    }
    return { tasks, dead, nextDueMs: undefined };
  }

  #settle({ recordId, fence }: ClaimedTask, verdict: Inbox.Verdict): boolean {
    const tasks = this.#events.get(recordId)?.tasks ?? [];
    const task = tasks.find(({ state, fence: own }) => state === "running" && own === fence);
    if (task === undefined) return false;
    if (verdict.outcome === "release") task.attempts--;
    else this.#note(task, "error" in verdict ? verdict.error : undefined);
    if (verdict.outcome === "done" || verdict.outcome === "dead") task.state = verdict.outcome;
    else {
      task.state = task.attempts === 0 ? "waiting" : "retrying";
      task.dueAtMs = Date.now() + (verdict.outcome === "retry" ? verdict.delayMs : 0);
    }
    if (verdict.outcome === "dead") this.#throughput.dead++;
    return true;
  }

  #note(task: records.MapTask, error: Inbox.TaskError | undefined): void {
    const { attempts: attempt, startedAtMs, history } = task;
    const outcome = error === undefined ? "done" : "failed";
    const ended = { attempt, startedAtMs, durationMs: Date.now() - startedAtMs, outcome, error } as const;
    task.history = [...history, ended].slice(-100);
    task.lastError = error;
    this.#throughput[outcome === "done" ? "handled" : "failed"]++;
  }
}
