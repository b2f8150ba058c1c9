/** `strace` and its flags; the program and its arguments follow. */
export function straceCommand(protocol: string): readonly string[] {
  const calls = "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg";
  // -y names files, -ttt and -T say when a call began and how long it took; a string may hold a whole page of the file.
  return ["strace", "-f", "-y", "-ttt", "-T", "-s", "5000", "-e", "signal=none", "-e", calls, "-o", protocol];
}

/** What a protocol of strace says. */
export interface Trace {
  /** Events that were answered 202. */
  readonly answered: readonly string[];
  /** Answers 202 that began before their event was in the write-ahead log and the log synced; empty where all is well. */
  readonly faults: readonly string[];
  /** Syncs of the write-ahead log that succeeded. */
  readonly syncs: number;
}

/** One call to the kernel. Seconds since the epoch. */
interface Call {
  readonly name: string;
  /** What its first argument, a descriptor, names. */
  readonly file: string;
  readonly text: string;
  readonly beganAt: number;
  readonly endedAt: number;
}

/** Reads a protocol. Each of the `ids` stands in the body of one delivery, and no id within another. */
export function readTrace(protocol: string, ids: readonly string[]): Trace {
  const calls = callsOf(protocol);
  const isLog = ({ file }: Call): boolean => file.endsWith("-wal");
  const writes = calls.filter((call) => call.name === "pwrite64" && isLog(call));
  const syncs = calls.filter((call) => /sync$/.test(call.name) && isLog(call) && /\) += 0 </.test(call.text));
  const answers = calls.filter(
    ({ file, text }) => file.startsWith("socket:") && text.includes('"HTTP/1.1 202'),
  );
  const answered: string[] = [];
  const faults: string[] = [];
  for (const id of ids) {
    const answer = answers.find(({ text }) => text.includes(id));
    if (answer === undefined) continue;
    answered.push(id);
    const write = writes.find(({ text }) => text.includes(id));
    const sync = write && syncs.find(({ beganAt }) => beganAt >= write.endedAt);
    if (write === undefined) faults.push(`${id} was answered and not written`);
    else if (sync === undefined) faults.push(`${id} was answered and not synced`);
    else if (sync.endedAt > answer.beganAt) faults.push(`${id} was answered before it was synced`);
  }
  return { answered, faults, syncs: syncs.length };
}

const head = /^(\d+) +(\d+\.\d+) (.*)$/;

/** The calls of a protocol by their beginning. One that another thread's interrupted stands there in two parts. */
function callsOf(protocol: string): readonly Call[] {
  const open = new Map<string, { readonly beganAt: number; readonly text: string }>();
  const calls: Call[] = [];
  for (const line of protocol.split("\n")) {
    const [, thread = "", time = "", rest = ""] = head.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      open.set(thread, { beganAt: Number(time), text: rest.slice(0, -"<unfinished ...>".length) });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const first = resumed === null ? undefined : open.get(thread);
    const text = (first?.text ?? "") + (resumed?.[1] ?? rest);
    const beganAt = first?.beganAt ?? Number(time);
    const [, name, file] = /^(\w+)\(\d+<([^>]*)>/.exec(text) ?? [];
    const [, took] = /<(\d+\.\d+)>$/.exec(text) ?? [];
    if (name !== undefined && file !== undefined && took !== undefined) {
      calls.push({ name, file, text, beganAt, endedAt: beganAt + Number(took) });
    }
  }
  return calls.sort((one, other) => one.beganAt - other.beganAt);
}
