/** The ranges of one family, sorted and apart from one another. */
export interface RangeTable {
  /** How many words an address has. */
  readonly width: number;
  readonly count: number;
  /** First and last address of each range, side by side: whoever reads the one will want the other. */
  readonly bounds: Uint32Array;
}

/** So many ranges are searched as quickly as they are cut into slices. */
const few = 6;

/** Set in the cell of a slice that is cut again; the rest of the cell is where that cut stands. */
const cutAgain = 0x80000000;

/** What stands ahead of the cells of a cut; the first address of its first range is the last of it. */
const header = { low: 0, word: 1, known: 2, shift: 3, slices: 4, first: 5 } as const;

/**
 * Finds addresses in a table. A binary search over 100,000 ranges guesses 17 times, every other time wrongly, and waits
 * for memory at each. Cut by value into about as many slices as there are ranges, most slices hold one or two; where
 * ranges crowd, a slice is cut again. Takes 2 to 8 bytes per range and cut, and few ranges are in more than two cuts.
 *
 * Words are read here and not by a function shared with others: one that has seen more kinds of arrays is not inlined,
 * and a look-up takes twice as long.
 */
export class RangeIndex {
  readonly #table: RangeTable;
  /** The cuts, one behind the other, the outermost first: header, a cell per slice, the position behind the last. */
  readonly #cells: Uint32Array;

  constructor(table: RangeTable) {
    this.#table = table;
    const cells: number[] = [];
    cut(table, { low: 0, high: table.count, known: 0 }, cells);
    this.#cells = Uint32Array.from(cells);
  }

  /** Whether a range holds the address. */
  has(words: readonly number[]): boolean {
    const { width, bounds } = this.#table;
    const position = this.#find(words);
    return position !== -1 && compareAt(bounds, (2 * position + 1) * width, words, width) >= 0;
  }

  /** The position of the last range that begins at the address or before it; -1 where none does. */
  #find(words: readonly number[]): number {
    const { width, count, bounds } = this.#table;
    const cells = this.#cells;
    let low = 0;
    let high = count;
    let at = cells.length === 0 ? -1 : 0;
    while (at !== -1) {
      const word = cells[at + header.word] as number;
      const first = at + header.first;
      let k = cells[at + header.known] as number;
      while (k < word && words[k] === cells[first + k]) k++;
      const offset = (words[k] as number) - (cells[first + k] as number);
      if (offset < 0) return low - 1;
      const slice = offset >>> (cells[at + header.shift] as number);
      if (k < word || slice >= (cells[at + header.slices] as number)) return high - 1;
      const cell = first + width + slice;
      const start = cells[cell] as number;
      const end = cells[cell + 1] as number;
      at = start < cutAgain ? -1 : start - cutAgain;
      low = start < cutAgain ? start : (cells[at + header.low] as number);
      high = end < cutAgain ? end : (cells[end - cutAgain + header.low] as number);
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareAt(bounds, middle * 2 * width, words, width) > 0) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }
}

/** Negative, zero or positive: how the `width` words of `bounds` at `offset` stand to `words`. */
export function compareAt(
  bounds: Uint32Array,
  offset: number,
  words: readonly number[],
  width: number,
): number {
  for (let k = 0; k < width; k++) {
    const difference = (bounds[offset + k] as number) - (words[k] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Ranges that lie side by side, `high` being behind the last; their first `known` words are equal. */
interface Run {
  readonly low: number;
  readonly high: number;
  readonly known: number;
}

/** Cuts a run by the first word in which its ranges differ. False, and nothing written, where they are few. */
function cut(table: RangeTable, { low, high, known }: Run, cells: number[]): boolean {
  if (high - low <= few) return false;
  const { width, bounds } = table;
  const stride = 2 * width;
  let word = known;
  while (bounds[low * stride + word] === bounds[(high - 1) * stride + word]) word++;
  const offsetOf = (position: number): number =>
    (bounds[position * stride + word] as number) - (bounds[low * stride + word] as number);
  const span = offsetOf(high - 1);
  const shift = Math.max(0, Math.clz32(high - low) - Math.clz32(span));
  const slices = (span >>> shift) + 1;
  cells.push(low, word, known, shift, slices, ...bounds.subarray(low * stride, low * stride + width));
  const start = cells.length;
  for (let slice = 0; slice <= slices; slice++) cells.push(high);
  let position = low;
  for (let slice = 0; slice < slices; slice++) {
    const from = position;
    while (position < high && offsetOf(position) >>> shift === slice) position++;
    const inner = cells.length;
    const again = cut(table, { low: from, high: position, known: shift === 0 ? word + 1 : word }, cells);
    cells[start + slice] = again ? inner + cutAgain : from;
  }
  return true;
}
