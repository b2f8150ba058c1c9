import { jest } from "@jest/globals";
import fc from "fast-check";

/**
 * How long the fuzz tests look. `FUZZ_RUNS` raises the number of inputs of each property, `FUZZ_SEED` chooses others.
 * A failure prints the seed that leads to it.
 */
const wantedRuns = Number(process.env.FUZZ_RUNS ?? 0);
export const seed = Number(process.env.FUZZ_SEED ?? 20_260_101);

/** How many inputs to try: those of CI, or what FUZZ_RUNS says where that is more. */
export function runs(usual: number): number {
  return Math.max(usual, wantedRuns);
}

// Long runs are asked for by hand; whoever does has the time.
if (wantedRuns > 0) jest.setTimeout(3_600_000);

/** `fc.assert` with the settings. */
export function check<Ts>(usual: number, property: fc.IProperty<Ts>): void {
  fc.assert(property, { numRuns: runs(usual), seed });
}

/** The same for an async property. */
export async function checkAsync<Ts>(usual: number, property: fc.IAsyncProperty<Ts>): Promise<void> {
  await fc.assert(property, { numRuns: runs(usual), seed });
}
