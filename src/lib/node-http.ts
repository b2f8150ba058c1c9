/**
 * Node's own HTTP module. An `import` of it by name would read every export, and reading `WebSocket` loads undici: 20 ms at
 * start on Node.js 22, 45 ms on 26.
 */
export const { createServer, IncomingMessage, ServerResponse, STATUS_CODES } =
  process.getBuiltinModule("node:http");
