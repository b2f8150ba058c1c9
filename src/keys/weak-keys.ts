import type { Buffer } from "node:buffer";

/**
 * Secrets that everyone has: from the front page of jwt.io and from RFCs, tutorials and sample projects. Most are
 * long enough to pass a check of the length (ATTACKS A13).
 */
const sampleSecrets: readonly string[] = [
  "secret",
  "secretkey",
  "secret-key",
  "mysecret",
  "mysecretkey",
  "my-secret-key",
  "supersecret",
  "super-secret",
  "supersecretkey",
  "password",
  "changeme",
  "change-me",
  "test",
  "key",
  "admin",
  "default",
  "shhhhh",
  "shhhhhh",
  "jwt_secret",
  "jwt-secret",
  "jwtsecret",
  "keyboard cat",
  "your-secret",
  "your-secret-key",
  "your_secret_key",
  "yoursecretkey",
  "your-256-bit-secret",
  "your-384-bit-secret",
  "your-512-bit-secret",
  "your-256-bit-secret-key-here-change-me",
  "a-string-secret-at-least-256-bits-long",
  "a-valid-string-secret-that-is-at-least-384-bits-long-for-hs384",
  "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
  "a-string-secret-at-least-512-bits-long-for-hs512-which-is-very-long",
  "qwertyuiopasdfghjklzxcvbnm123456",
  "abcdefghijklmnopqrstuvwxyz123456",
  "abcdefghijklmnopqrstuvwxyz012345",
  "abcdefghijklmnopqrstuvwxyzabcdef",
  "this-is-a-very-long-secret-key-for-testing",
  "this_is_a_super_secret_key_change_it",
  "thisisasecretkeythatisatleast32characterslong",
  "super-secret-jwt-token-with-at-least-32-characters-long",
  "please-change-this-secret-in-production",
  "change-this-to-a-secure-secret-in-production",
];

/** Keys printed in RFC 7515 appendix A.1 and RFC 7520 section 3.5, in base64url. */
const sampleSecretsBase64url: readonly string[] = [
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
  "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
];

/** Why an HMAC secret can be guessed whatever its length, or undefined. */
export function guessableSecret(secret: Buffer): string | undefined {
  const period = shortestPeriod(secret);
  if (period === 1) return "is one byte, repeated";
  if (period * 2 <= secret.length) return `is one unit of ${period} bytes, repeated`;
  const text = secret.toString("utf8");
  const isSample =
    sampleSecrets.includes(text.toLowerCase()) ||
    sampleSecretsBase64url.includes(text) ||
    sampleSecretsBase64url.includes(secret.toString("base64url"));
  return isSample ? "is a sample secret from public documentation" : undefined;
}

/** The length of the shortest unit whose repetition gives the bytes; the last repetition may be cut off. */
function shortestPeriod(bytes: Buffer): number {
  let period = 1;
  while (period < bytes.length && !bytes.subarray(period).equals(bytes.subarray(0, bytes.length - period))) {
    period += 1;
  }
  return period;
}

/** Why an RSA public key must not be trusted, or undefined (RFC 7518 section 3.3, CVE-2017-15361). */
export function weakRsa(modulus: Buffer, exponent: bigint): string | undefined {
  const n = BigInt(`0x0${modulus.toString("hex")}`);
  const bits = n.toString(2).length;
  if (bits < 2048) return `has ${bits} bits and must have at least 2048`;
  // OpenSSL refuses only beyond 16384; one check with such a key takes milliseconds.
  if (bits > 8192) return `has ${bits} bits and may have at most 8192`;
  if (exponent < 3n || exponent % 2n === 0n)
    return `has the public exponent ${exponent}; it must be odd and 3 or more`;
  // Beyond this OpenSSL itself will not use a large modulus.
  if (exponent >= 1n << 64n) return "has a public exponent of more than 64 bits";
  if (n % 2n === 0n) return "has an even modulus";
  if (hasRocaFingerprint(n)) return "was made by a faulty chip and can be broken (ROCA, CVE-2017-15361)";
  return undefined;
}

const rocaPrimes: readonly number[] = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/**
 * The faulty chips made primes of the form k·M + (65537^a mod M), M a product of small primes. So for each of these
 * primes the modulus lies in the group that 65537 generates; a sound modulus does so once in 2^27.
 */
function hasRocaFingerprint(n: bigint): boolean {
  return rocaPrimes.every((prime) => isPowerOf65537(Number(n % BigInt(prime)), prime));
}

function isPowerOf65537(residue: number, prime: number): boolean {
  const generator = 65537 % prime;
  let power = generator;
  while (power !== residue && power !== 1) power = (power * generator) % prime;
  return power === residue;
}

/**
 * Points of Ed25519 of order 1, 2, 4 and 8, as keys without their sign bit: the seven encodings that OpenSSL reads.
 * With such a key one signature fits many messages (RFC 8032 section 5.1.7 does not ask for this check).
 */
const smallOrderPoints: readonly string[] = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/** Why an Ed25519 public key of 32 bytes must not be trusted, or undefined. */
export function weakEd25519(point: Buffer): string | undefined {
  const hex = point.toString("hex");
  // The sign of x is the top bit of the last byte.
  const last = (Number.parseInt(hex.slice(62), 16) & 0x7f).toString(16).padStart(2, "0");
  return smallOrderPoints.includes(hex.slice(0, 62) + last) ? "is a point of small order" : undefined;
}
