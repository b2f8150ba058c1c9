import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";

/** A byte of a file that this process has locked for reading. */
export interface LockedByte {
  /** How the kernel names the file: major and minor number of its device, and its inode. */
  readonly file: string;
  readonly byte: number;
}

/** The kernel hands the list over in pieces, and a lock that goes away between two of them can hide the next one. */
const mostTries = 5;

/** The POSIX locks of this process, as Linux lists them. There is no other way to ask for one's own. */
export class ProcessLocks {
  readonly #descriptor: number;
  #buffer = Buffer.alloc(16_384);

  /** Throws where there is no such list: on another system, or where it is hidden. */
  constructor(list = "/proc/locks") {
    // Kept open: a read from its beginning makes the list anew, at a tenth of the cost of opening it.
    this.#descriptor = openSync(list, "r");
  }

  /** The byte of a file, if this process has locked it for reading. */
  find(file: { readonly dev: bigint; readonly ino: bigint }, byte: number): LockedByte | undefined {
    const own = `${nameOfDevice(file.dev)}:${file.ino}`;
    const text = this.#read([]);
    // Some file systems, such as btrfs, show another device here than stat(2) does.
    const others = [...text.matchAll(new RegExp(` ${process.pid} ([0-9a-f]+:[0-9a-f]+:${file.ino}) `, "g"))];
    return [own, ...others.map((match) => match[1] ?? "")]
      .map((name) => ({ file: name, byte }))
      .find((wanted) => isListed(text, wanted));
  }

  /** Whether every one of them is still locked. */
  hold(wanted: readonly LockedByte[]): boolean {
    for (let tries = 0; tries < mostTries; tries++) {
      const text = this.#read(wanted);
      if (wanted.every((one) => isListed(text, one))) return true;
    }
    return false;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** The list, up to where it has all that is wanted. */
  #read(wanted: readonly LockedByte[]): string {
    let length = 0;
    for (;;) {
      if (this.#buffer.length - length < 8_192) this.#buffer = Buffer.concat([this.#buffer, this.#buffer]);
      const count = readSync(this.#descriptor, this.#buffer, length, this.#buffer.length - length, length);
      length += count;
      const text = this.#buffer.toString("latin1", 0, length);
      if (count === 0 || (wanted.length > 0 && wanted.every((one) => isListed(text, one)))) return text;
    }
  }
}

/** `17: POSIX  ADVISORY  READ 4711 fe:00:1234 128 128`: number, kind, owner, file, first and last byte. */
function isListed(text: string, { file, byte }: LockedByte): boolean {
  const name = ` READ ${process.pid} ${file} `;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const [first = "", last = ""] = text.slice(at + name.length, text.indexOf("\n", at)).split(" ");
    // Locks that touch become one.
    if (Number(first) <= byte && (last === "EOF" || byte <= Number(last))) return true;
  }
  return false;
}

function nameOfDevice(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}
