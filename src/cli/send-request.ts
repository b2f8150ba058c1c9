import { printable } from "../lib/printable.js";
import type { SignedDelivery } from "../signatures/sign.js";
import type { Source } from "../types/source.js";
import { type CommandIo, misused } from "./command.js";

/** A delivery on its way. */
export interface Outgoing {
  readonly url: URL;
  readonly delivery: SignedDelivery;
  /** Headers that hold the receiver's own credentials; they win. */
  readonly credentials: Readonly<Record<string, string>>;
  /** How long the answer is waited for: as long as the sender would. */
  readonly deadlineMs: number;
}

/** Sends once and prints the answer: its body on standard output, the rest on standard error. Whether it was 2xx. */
export async function sendOnce(
  { url, delivery, credentials, deadlineMs }: Outgoing,
  io: CommandIo,
): Promise<boolean> {
  const startedMs = performance.now();
  const after = (): string => `after ${Math.round(performance.now() - startedMs)} ms`;
  try {
    const answer = await fetch(new URL(delivery.path, url), {
      method: "POST",
      headers: { "content-type": delivery.contentType, ...delivery.headers, ...credentials },
      body: new Uint8Array(delivery.body),
      redirect: "manual",
      signal: AbortSignal.timeout(deadlineMs),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    io.stderr(`${answer.status} ${printable(answer.statusText)} ${after()}\n`);
    if (body.length > 0) io.stdout(`${shown(body)}\n`);
    return answer.ok;
  } catch (error) {
    const { name, message, cause } = error as Error;
    const what =
      name === "TimeoutError"
        ? `no answer within ${deadlineMs} ms, which is how long this sender waits`
        : printable((cause as Error | undefined)?.message || message, 300);
    io.stderr(`failed ${after()}: ${what}\n`);
    return false;
  }
}

/** What an answer says, without what a terminal would obey. */
function shown(body: Buffer): string {
  return body
    .toString("utf8")
    .replace(/[\p{Cc}\u2028\u2029]/gu, (character) =>
      character === "\n" || character === "\t" ? character : printable(character),
    );
}

/** A request as it would be sent. `credentials`: what stands for secrets that were not signed with. */
export function describeDelivery(
  url: URL,
  delivery: SignedDelivery,
  credentials: Readonly<Record<string, string>>,
): string {
  const headers = { "content-type": delivery.contentType, ...delivery.headers, ...credentials };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  return `POST ${new URL(delivery.path, url).href}\n${lines.join("")}\n${delivery.body.toString("utf8")}\n`;
}

/** The delivery with one character of what proves it changed. CommandFailure 2 where nothing does. */
export function tampered(delivery: SignedDelivery, source: Source<never>): SignedDelivery {
  const proofs = new Set(proofsOf(source).filter((name) => Object.hasOwn(delivery.headers, name)));
  if (proofs.size === 0) throw misused("--tamper: this source signs nothing");
  const headers = Object.fromEntries(
    Object.entries(delivery.headers).map(([name, value]) => [
      name,
      proofs.has(name) ? altered(value) : value,
    ]),
  );
  return { ...delivery, headers };
}

function proofsOf({ signature, auth }: Source<never>): readonly string[] {
  const token = auth === undefined ? [] : [auth.carrier?.header ?? "authorization"];
  if (signature?.kind === "header") return [...token, ...signature.headers.map((set) => set.signature)];
  return signature?.kind === "http-message" ? [...token, "signature"] : token;
}

/** Neither padding nor unused bits stand there, and 0 and 1 are in every alphabet that signatures are written in. */
function altered(value: string): string {
  const at = value.length - 10;
  return `${value.slice(0, at)}${value.charAt(at) === "0" ? "1" : "0"}${value.slice(at + 1)}`;
}
