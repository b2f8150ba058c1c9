/** True: an engine did not delete by age, because the machine's clock is far ahead of what its store has seen. */
export function isClockAhead(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === "ERR_CLOCK_AHEAD";
}
