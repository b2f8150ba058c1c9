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

/**
 * Node's own HTTP module. An `import` of it by name would read every export, and reading `WebSocket` loads undici: 20 ms at
 * start on Node.js 22, 45 ms on 26.
 */
export const { createServer, IncomingMessage, ServerResponse, STATUS_CODES } =
  process.getBuiltinModule("node:http");
