/**
 * Makes a function that loads something when it is first called, and from then on gives what was loaded. A failure is not
 * kept: the next call tries again. For modules that few processes need, so that importing the package stays quick.
 *
 * @example
 * const loadReader = onFirstUse(() => import("./reader.js"));
 */
export function onFirstUse<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}
