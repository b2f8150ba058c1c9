import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { partialMethods } from "../http/middleware.js";
import type { Receiver } from "../receiver/receiver.js";
import { type CommandIo, type ExitCode, misused, refused } from "./command.js";

type AnyReceiver = Receiver<Record<string, unknown>>;

/**
 * `hookgate doctor MODULE`: imports a module that exports receivers, and Express apps if it likes, and prints what is
 * allowed and seldom meant. Options that cannot be meant throw while the module is imported, which is printed, too.
 * Exit code 1 where there is anything to say.
 */
export async function doctor(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [path, ...rest] = positionals(args);
  if (path === undefined || rest.length > 0)
    throw misused("doctor takes one module: hookgate doctor ./receiver.js");
  const exported = await load(path);
  const receivers = exported.filter((entry): entry is [string, AnyReceiver] => isReceiver(entry[1]));
  if (receivers.length === 0) {
    throw refused(`${path} exports no receiver; export what createReceiver returned`);
  }
  const findings = receivers.flatMap(([name, receiver]) =>
    receiver.diagnose().map((text) => `${name}: ${text}`),
  );
  const mounted = exported.flatMap(([name, app]) =>
    mountFindings(app, receivers).map((text) => `${name}: ${text}`),
  );
  const all = [...findings, ...mounted];
  for (const text of all) io.stdout(`- ${text}\n`);
  io.stderr(
    all.length === 0
      ? `${receivers.map(([name]) => name).join(", ")}: nothing to say\n`
      : `${all.length} to look at\n`,
  );
  return all.length === 0 ? 0 : 1;
}

function positionals(args: readonly string[]): readonly string[] {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: {} }).positionals;
  } catch (error) {
    throw misused((error as Error).message);
  }
}

async function load(path: string): Promise<[string, unknown][]> {
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(resolve(path)).href);
    // What a CommonJS module exports stands under `default`.
    const inner = module.default;
    const nested =
      typeof inner === "object" && inner !== null && !isReceiver(inner) ? Object.entries(inner) : [];
    const own = Object.entries(module).filter(([name]) => name !== "module.exports");
    const seen = new Set<unknown>();
    return [...own, ...nested].filter(([, value]) => !seen.has(value) && seen.add(value));
  } catch (error) {
    throw refused(`${path} cannot be imported: ${(error as Error).message}`);
  }
}

function isReceiver(value: unknown): value is AnyReceiver {
  const receiver = value as Partial<AnyReceiver> | null | undefined;
  return typeof receiver?.diagnose === "function" && typeof receiver.middleware === "function";
}

interface Layer {
  readonly name?: string;
  readonly handle?: unknown;
  readonly route?: {
    readonly path?: unknown;
    readonly stack?: readonly Layer[];
  };
}

const parsers: readonly string[] = ["jsonParser", "urlencodedParser", "rawParser", "textParser"];

/** How an Express app mounts the receivers: with which methods, and behind which body parsers. */
function mountFindings(app: unknown, receivers: readonly (readonly [string, AnyReceiver])[]): string[] {
  const found: string[] = [];
  const parsersAhead: string[] = [];
  for (const layer of layersOf(app)) {
    if (layer.name !== undefined && parsers.includes(layer.name)) parsersAhead.push(layer.name);
    const handles = [layer, ...(layer.route?.stack ?? [])].map(({ handle }) => handle);
    const mounted = receivers.find(
      ([, { middleware }]) => handles.includes(middleware()) || handles.includes(middleware),
    );
    if (mounted === undefined) continue;
    const [name] = mounted;
    const at = layer.route === undefined ? "" : ` on ${String(layer.route.path)}`;
    const methods = partialMethods(layer.route);
    if (methods !== undefined) {
      found.push(`${name} is mounted${at} for ${methods.join(", ")} only; use app.all`);
    }
    if (parsersAhead.length > 0) {
      found.push(
        `${parsersAhead.join(", ")} stands before ${name}${at} and takes its bodies; mount the receiver first, or give the parser a path of its own`,
      );
    }
  }
  return found;
}

/** Express 5 keeps them under `router`, Express 4 under `_router`. */
function layersOf(app: unknown): readonly Layer[] {
  if (typeof app !== "function") return [];
  const router: unknown =
    Reflect.get(app, "_router") ?? (Reflect.has(app, "lazyrouter") ? undefined : Reflect.get(app, "router"));
  const stack: unknown =
    router === undefined || router === null ? undefined : Reflect.get(Object(router), "stack");
  return Array.isArray(stack) ? (stack as Layer[]) : [];
}
