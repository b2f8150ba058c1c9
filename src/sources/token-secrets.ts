import type { Duration } from "../lib/duration.js";
import { durationOption, flagOption, own } from "../lib/options.js";
import { parseSecrets } from "../signatures/signing-keys.js";

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
