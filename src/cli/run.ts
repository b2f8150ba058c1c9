import { readFileSync } from "node:fs";
import { parseJson } from "../lib/json.js";
import { nearest } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { backup, restore } from "./backup.js";
import { CommandFailure, type CommandIo, type ExitCode, misused } from "./command.js";
import { doctor } from "./doctor.js";
import { eventsCompact, eventsDrop, eventsPurge, eventsReplay, eventsRetry } from "./events/change.js";
import { eventsList, eventsShow, eventsStats } from "./events/show.js";
import { commandHelp, generalHelp } from "./help.js";
import { keyActivate, keyDeactivate, keyDelete, keyList, keyNew, keyUpgrade } from "./key.js";
import { send } from "./send.js";
import { tokenSign } from "./token.js";

type Command = (args: readonly string[], io: CommandIo) => Promise<ExitCode>;

const commands: ReadonlyMap<string, Command> = new Map([
  ["key new", keyNew],
  ["key list", keyList],
  ["key activate", keyActivate],
  ["key deactivate", keyDeactivate],
  ["key delete", keyDelete],
  ["key upgrade", keyUpgrade],
  ["token sign", tokenSign],
  ["events list", eventsList],
  ["events show", eventsShow],
  ["events retry", eventsRetry],
  ["events replay", eventsReplay],
  ["events drop", eventsDrop],
  ["events purge", eventsPurge],
  ["events stats", eventsStats],
  ["events compact", eventsCompact],
  ["backup", backup],
  ["restore", restore],
  ["doctor", doctor],
  ["send", send],
]);

/** Runs one command line, without the program's name, and resolves with the exit code. Never rejects. */
export async function main(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  try {
    return await run(argv, io);
  } catch (error) {
    if (error instanceof CommandFailure) {
      const more = error.exitCode === 2 ? `\n${helpHint(argv)}` : "";
      io.stderr(`hookgate: ${error.message}${more}\n`);
      return error.exitCode;
    }
    io.stderr(`hookgate: ${(error as Error).message}\n`);
    return 1;
  }
}

async function run(argv: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [first = ""] = argv;
  if (first === "--version" || first === "-v") {
    io.stdout(`${version()}\n`);
    return 0;
  }
  const wantsHelp = argv.includes("--help") || argv.includes("-h");
  const name = commandName(argv);
  const command = commands.get(name);
  if (wantsHelp) {
    io.stdout(commandHelp.get(name) ?? commandHelp.get(first) ?? generalHelp);
    return 0;
  }
  if (argv.length === 0) {
    io.stderr(generalHelp);
    return 2;
  }
  if (command === undefined) throw misused(unknownCommand(name));
  return command(argv.slice(name.split(" ").length), io);
}

/** The words that name the command: one, or two. */
function commandName(argv: readonly string[]): string {
  const [first = ""] = argv;
  return commands.has(first) ? first : argv.slice(0, 2).join(" ");
}

function unknownCommand(name: string): string {
  const near = nearest(name, [...commands.keys()]);
  const [first = ""] = name.split(" ");
  const siblings = [...commands.keys()].filter((known) => known.startsWith(`${first} `));
  const hint =
    near !== undefined
      ? `; did you mean "${near}"?`
      : siblings.length > 0
        ? `; there is ${siblings.map((known) => `"${known}"`).join(", ")}`
        : "";
  return `there is no command "${printable(name)}"${hint}`;
}

function helpHint(argv: readonly string[]): string {
  const name = commandName(argv);
  return `See: hookgate ${commands.has(name) ? `${name} ` : ""}--help`;
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (parseJson(text) as { version: string }).version;
}
