import { flagOption, numberOption, own } from "../lib/options.js";
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

/** The option `toleranceSeconds` of a source that checks tokens, 0 to 300. */
export function tokenTolerance(options: Record<string, unknown>, where: string, fallback = 5): number {
  return numberOption(own(options, "toleranceSeconds"), `${where}.toleranceSeconds`, {
    min: 0,
    max: 300,
    fallback,
  });
}
