export default {
  testEnvironment: "node",
  // With `src`, so that a file that no test loads counts as not covered.
  roots: ["<rootDir>/src", "<rootDir>/test"],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: {
    "^hookgate$": "<rootDir>/src/index.ts",
    "^hookgate/engine$": "<rootDir>/src/inbox/engine.ts",
    "^hookgate/sqlite$": "<rootDir>/src/inbox/sqlite/index.ts",
    "^hookgate/testing$": "<rootDir>/src/testing/index.ts",
    "^hookgate/(.+)$": ["<rootDir>/src/sources/$1.ts", "<rootDir>/src/sources/$1/index.ts"],
    "^(\\.{1,2}/.*)\\.js$": "$1",
  },
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { target: "es2022", parser: { syntax: "typescript" } },
        module: { type: "es6" },
        sourceMaps: "inline",
      },
    ],
  },
  // Fails a file whose code under test writes a secret to a stream or the console.
  setupFilesAfterEnv: ["<rootDir>/test/support/canary-setup.ts"],
  // Nothing waits for a fixed time; a busy machine may still take its time over real sockets.
  testTimeout: 30_000,
  // The tests wait for sockets, npm and the compiler more than they compute.
  maxWorkers: "100%",
  // Types only: there is nothing in them to run.
  collectCoverageFrom: [
    "src/**/*.ts",
    "!src/types/**",
    "!src/**/*-types.ts",
    "!src/inbox/polling/task-queue.ts",
  ],
  coverageProvider: "v8",
  coverageReporters: ["text-summary", "lcovonly", "json-summary"],
  coverageThreshold: {
    // The rooms that decide who gets in. Not `signatures/sign*.ts` and `signatures/http-message/sign.ts`, which sign
    // deliveries for tests and `hookgate send`, nor `auth/credentials`, which reads what operators write.
    "./src/{ip,keys,body}/*.ts": { branches: 100 },
    "./src/auth/{*,jwt/*}.ts": { branches: 100 },
    "./src/signatures/{header-signature,public-url,signature,signed-content,signing-keys}.ts": {
      branches: 100,
    },
    "./src/signatures/http-message/{components,structured-fields,verify}.ts": { branches: 100 },
    "./src/lib/{base64,json,request-head}.ts": { branches: 100 },
    global: { statements: 98, branches: 95.5, functions: 97.5, lines: 98 },
  },
};
