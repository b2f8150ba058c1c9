import { flagOption, numberOption, OptionError, own, stringOption } from "../lib/options.js";
import { parseSecrets, type SecretRules } from "../signatures/signing-keys.js";
import type { SigningKey } from "../types/signature.js";

/** The options `secret` and `insecureShortSecret` as keys. TypeError for empty, short and guessable secrets (ATTACKS F07). */
export function secretsOption(
  options: { readonly secret?: unknown; readonly insecureShortSecret?: unknown },
  where: string,
  rules: Omit<SecretRules, "insecureShortSecret"> = {},
): readonly SigningKey[] {
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  return parseSecrets(own(options, "secret"), `${where}.secret`, { ...rules, insecureShortSecret });
}

/** The option `toleranceSeconds` of a timestamp: a whole number from 1 to 3,600. Default: 300. */
export function toleranceOption(options: { readonly toleranceSeconds?: unknown }, where: string): number {
  const bounds = { min: 1, max: 3_600, fallback: 300, integer: true };
  return numberOption(own(options, "toleranceSeconds"), `${where}.toleranceSeconds`, bounds);
}

/** A member path such as `data.object.id`; undefined where it was left out. */
export function pathOption(value: unknown, where: string): string | undefined {
  if (value === undefined) return undefined;
  const path = stringOption(value, where);
  if (path.split(".").every((segment) => segment.trim() !== "")) return path;
  throw new OptionError(
    where,
    ` must be a member's name, or names joined by dots, not "${path.slice(0, 40)}"`,
  );
}
