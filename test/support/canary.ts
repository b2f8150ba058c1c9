import { format } from "node:util";

/**
 * The search for secrets in what the code under test writes: standard output, standard error and the console
 * (ATTACKS I01). A secret is what a test gave to `watchFor`, anything that says "canary", and any signed token.
 */
const secrets = new Set<string>();
const found: string[] = [];
/** The runner's console writes to the streams, too, with the lines of source around the call. */
let insideConsole = false;

/** A compact JWS: a header and a payload that begin with `{"`, and a signature. */
const signedToken = /eyJ[\w-]{4,}\.eyJ[\w-]{4,}\.[\w-]{8,}/;

/** Makes a text one that must not be written. Shorter ones than 16 characters could stand anywhere. */
export function watchFor(...texts: readonly string[]): void {
  for (const text of texts) if (text.length >= 16) secrets.add(text);
}

/** Whether a text gives a secret away. */
export function holdsSecret(text: string): boolean {
  return (
    text.toLowerCase().includes("canary") ||
    signedToken.test(text) ||
    [...secrets].some((secret) => text.includes(secret))
  );
}

/** What gave a secret away since the last call. */
export function takeLeaks(): readonly string[] {
  return found.splice(0);
}

type Write = NodeJS.WriteStream["write"];

/** Reads along with a stream, until the function that it returns is called. */
export function watchStream(stream: { write: Write }): () => void {
  const { write } = stream;
  const watched = function (this: unknown, ...args: Parameters<Write>): boolean {
    if (!insideConsole) note(typeof args[0] === "string" ? args[0] : Buffer.from(args[0]).toString());
    return write.apply(this, args);
  } as Write;
  stream.write = watched;
  return () => {
    if (stream.write === watched) stream.write = write;
  };
}

/** Reads along with a console. In a test it is the runner's own, which keeps its lines from the streams. */
export function watchConsole(target: Console): void {
  for (const method of ["debug", "dir", "error", "info", "log", "table", "trace", "warn"] as const) {
    const original = target[method] as (...args: unknown[]) => void;
    target[method] = (...args: unknown[]): void => {
      note(format(...args));
      insideConsole = true;
      try {
        original.apply(target, args);
      } finally {
        insideConsole = false;
      }
    };
  }
}

function note(text: string): void {
  if (holdsSecret(text)) found.push(text.slice(0, 500));
}
