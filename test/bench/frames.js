// Messages over a pipe, for store-process.js: the length of the JSON, the number of pieces and their lengths, then all of them.

export function writeFrame(stream, message, pieces) {
  const json = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(8 + 4 * pieces.length);
  head.writeUInt32LE(json.length, 0);
  head.writeUInt32LE(pieces.length, 4);
  for (const [at, piece] of pieces.entries()) head.writeUInt32LE(piece.byteLength, 8 + 4 * at);
  stream.cork?.();
  stream.write(head);
  stream.write(json);
  for (const piece of pieces) stream.write(Buffer.from(piece));
  stream.uncork?.();
}

export class FrameReader {
  #rest = Buffer.alloc(0);
  #take;

  constructor(take) {
    this.#take = take;
  }

  push(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#rest.length < 8) return;
      const jsonLength = this.#rest.readUInt32LE(0);
      const count = this.#rest.readUInt32LE(4);
      let at = 8 + 4 * count;
      if (this.#rest.length < at) return;
      const lengths = Array.from({ length: count }, (_, n) => this.#rest.readUInt32LE(8 + 4 * n));
      const total = at + jsonLength + lengths.reduce((sum, length) => sum + length, 0);
      if (this.#rest.length < total) return;
      const message = JSON.parse(this.#rest.toString("utf8", at, at + jsonLength));
      at += jsonLength;
      const pieces = lengths.map((length) => {
        const { buffer, byteOffset } = this.#rest;
        const piece = buffer.slice(byteOffset + at, byteOffset + at + length);
        at += length;
        return piece;
      });
      this.#rest = this.#rest.subarray(total);
      this.#take(message, pieces);
    }
  }
}
