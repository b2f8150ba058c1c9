import { type Duration, durationText } from "../lib/duration.js";
import { isObject, memberAt } from "../lib/json.js";
import { durationOption, flagOption, OptionError, own, stringOption } from "../lib/options.js";
import { parseSecrets, type SecretRules } from "../signatures/signing-keys.js";
import type { SigningKey } from "../types/signature.js";
import type { ParsedDelivery } from "../types/source.js";

/** The options `secret` and `insecureShortSecret` as keys. TypeError for empty, short and guessable secrets (ATTACKS F07). */
export function secretsOption(
  options: { readonly secret?: unknown; readonly insecureShortSecret?: unknown },
  where: string,
  rules: Omit<SecretRules, "insecureShortSecret"> = {},
): readonly SigningKey[] {
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  return parseSecrets(own(options, "secret"), `${where}.secret`, { ...rules, insecureShortSecret });
}

/** The option `tolerance` of a timestamp: "1s" to "1h". Default: "5m". */
export function toleranceOption(options: { readonly tolerance?: unknown }, where: string): Duration {
  const bounds = { min: "1s", max: "1h", fallback: "5m" } as const;
  return durationText(durationOption(own(options, "tolerance"), `${where}.tolerance`, bounds));
}

/** The option `deadline` of a source whose senders can be told how long to wait: "100ms" to "10m" unless `bounds` say. */
export function deadlineOption(
  options: { readonly deadline?: unknown },
  where: string,
  bounds: { readonly min?: Duration; readonly max?: Duration; readonly fallback?: Duration } = {},
): Duration {
  const { min = "100ms", max = "10m", fallback = "10s" } = bounds;
  return durationText(durationOption(own(options, "deadline"), `${where}.deadline`, { min, max, fallback }));
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

/** What of a JWT credential's options a shared secret decides. */
export interface SecretCredential {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly algorithms: readonly string[];
  readonly state: "active" | "inactive";
  readonly notBefore?: Date;
  readonly expiresAt?: Date;
  readonly insecureShortSecret: boolean;
}

/** The least bytes of a secret for HS256 (RFC 7518 section 3.2). */
const minBytes = 32;

/**
 * The options `secret` and `insecureShortSecret` of a source whose tokens are HS256, as credentials. TypeError for
 * empty, short and guessable secrets.
 */
export function secretCredentials(
  options: Record<string, unknown>,
  where: string,
): readonly SecretCredential[] {
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  const keys = parseSecrets(own(options, "secret"), `${where}.secret`, { minBytes, insecureShortSecret });
  return keys.map(({ id, active, notBeforeMs, expiresAtMs, key }) => ({
    id,
    secret: key.export(),
    algorithms: ["HS256"],
    state: active ? "active" : "inactive",
    ...(Number.isFinite(notBeforeMs) ? { notBefore: new Date(notBeforeMs) } : {}),
    ...(Number.isFinite(expiresAtMs) ? { expiresAt: new Date(expiresAtMs) } : {}),
    insecureShortSecret,
  }));
}

/** The option `clockTolerance` of a source that checks tokens, checked: `"0s"` to `"5m"`. */
export function tokenTolerance(
  options: Record<string, unknown>,
  where: string,
  fallback: Duration = "5s",
): Duration {
  const given = own(options, "clockTolerance");
  durationOption(given, `${where}.clockTolerance`, { min: "0s", max: "5m", fallback });
  return (given ?? fallback) as Duration;
}

/** The only value of a header, in lower case, that says something. */
export function headerOf({ headers }: Pick<ParsedDelivery, "headers">, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A member of parsed data along a path such as `data.object.id`: own members only, undefined where there is none. */
export function memberOf(value: unknown, path: string): unknown {
  return memberAt(value, path.split("."));
}

/** Text along a path; undefined for anything else, and for an empty string. */
export function textOf(value: unknown, path: string): string | undefined {
  const found = memberOf(value, path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** A copy with one member along a path; what is no object on the way becomes one. */
export function withMember(value: unknown, path: string, member: unknown): Record<string, unknown> {
  const [name = "", ...rest] = path.split(".");
  const before = isObject(value) ? value : {};
  const inner = rest.length === 0 ? member : withMember(memberOf(before, name), rest.join("."), member);
  // fromEntries defines members, so that "__proto__" stays one.
  return Object.fromEntries([...Object.entries(before).filter(([key]) => key !== name), [name, inner]]);
}
