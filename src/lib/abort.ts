/** Resolves with true when the work has ended, well or not, and with false when the signal aborts before. Never rejects. */
export function endsBefore(signal: AbortSignal | undefined, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const aborted = (): void => resolve(false);
    const ended = (): void => {
      signal?.removeEventListener("abort", aborted);
      resolve(true);
    };
    work.then(ended, ended);
    if (signal?.aborted === true) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}
