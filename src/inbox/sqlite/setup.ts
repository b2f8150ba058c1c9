import { describe, OptionError, stringOption } from "../../lib/options.js";

/** Reads the option `setup`: SQL that is run when the store is opened. TypeError where it is no list of texts. */
export function parseSetup(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of SQL statements, not ${describe(value)}`);
  return value.map((sql: unknown, index) => stringOption(sql, `${where}[${index}]`));
}
