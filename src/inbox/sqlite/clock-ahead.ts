/** The machine's clock says a time that the store does not believe; nothing was deleted by age. */
export class ClockAheadError extends Error {
  readonly code = "ERR_CLOCK_AHEAD";
  /** How far the clock is ahead of the last sign of life in the store, in milliseconds. */
  readonly aheadMs: number;

  constructor(aheadMs: number) {
    super(
      `the machine's clock is ${spanOf(aheadMs)} ahead of the last activity in the inbox: either the clock is wrong, or the inbox ` +
        "was not in use; nothing is deleted by age until it has been in use for 6 hours with this clock",
    );
    this.name = "ClockAheadError";
    this.aheadMs = aheadMs;
  }
}

function spanOf(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
