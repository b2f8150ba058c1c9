import { createPublicKey, type KeyObject } from "node:crypto";
import type { PublicJwk } from "../keys/public-key.js";
import { nearest } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { atlassianConnect } from "../sources/atlassian-connect.js";
import { cloudEvents } from "../sources/cloudevents/index.js";
import { github } from "../sources/github.js";
import { googlePubSub } from "../sources/google-pubsub.js";
import { httpMessageSignatures } from "../sources/http-signature.js";
import { type PlaidKey, plaid } from "../sources/plaid.js";
import { shopify } from "../sources/shopify.js";
import { slack } from "../sources/slack.js";
import { standardWebhooks } from "../sources/standard-webhooks.js";
import { stripe } from "../sources/stripe.js";
import { twilio } from "../sources/twilio.js";
import { vonage } from "../sources/vonage.js";
import { webex } from "../sources/webex.js";
import { webexConnect, webexConnectEvents } from "../sources/webex-connect/index.js";
import { webexConnectOutbound } from "../sources/webex-connect-outbound/index.js";
import type { MessageAlgorithm } from "../types/signature.js";
import type { Source } from "../types/source.js";
import { misused, required } from "./command.js";

/** What the command line says of a source. */
export interface SourceSettings {
  readonly secret: string | undefined;
  readonly privateKey: KeyObject | undefined;
  /** Name of that key. */
  readonly keyId: string | undefined;
  /** Under which the receiver is called. */
  readonly publicUrl: string;
  /** The whole URL that is sent to. */
  readonly url: string;
  readonly signatureHeader: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly account: string | undefined;
}

type Make = (settings: SourceSettings) => Source<never>;

// Whoever sends has the secret that there is; that it is short, the receiver complains of.
const insecureShortSecret = true;

const secretOf = ({ secret }: SourceSettings): string => {
  if (secret !== undefined) return secret;
  throw misused("this source signs with a secret: give --secret-env NAME or --secret-file PATH");
};

const keyOf = ({ privateKey }: SourceSettings): KeyObject => {
  if (privateKey !== undefined) return privateKey;
  throw misused(
    "this source signs with a private key: give --private-key-file PATH or --private-key-env NAME",
  );
};

const jwkOf = (settings: SourceSettings, kid: string): PublicJwk =>
  ({ ...createPublicKey(keyOf(settings)).export({ format: "jwk" }), kid }) as PublicJwk;

const pemOf = (settings: SourceSettings): string =>
  createPublicKey(keyOf(settings)).export({ format: "pem", type: "spki" }).toString();

const bySecret =
  (make: (options: { readonly secret: string; readonly insecureShortSecret: true }) => unknown): Make =>
  (settings) =>
    make({ secret: secretOf(settings), insecureShortSecret }) as Source<never>;

const standard: Make = (settings) =>
  (settings.privateKey === undefined
    ? standardWebhooks({ secret: secretOf(settings), insecureShortSecret })
    : standardWebhooks({ publicKey: pemOf(settings) })) as Source<never>;

/** What Webex Connect's senders sign, once a secret is given. */
const webexSignature = ({ secret, signatureHeader }: SourceSettings) =>
  secret === undefined
    ? {}
    : { signature: { secret, header: required(signatureHeader, "signature-header"), insecureShortSecret } };

const messages: Make = (settings) => {
  const { secret, privateKey, publicUrl, keyId: id = "key-1" } = settings;
  const key =
    privateKey === undefined && secret !== undefined
      ? { id, algorithm: "hmac-sha256" as const, secret }
      : { id, algorithm: messageAlgorithm(keyOf(settings)), publicKey: pemOf(settings) };
  // @target-uri covers @authority, @path and @query as well, so that whatever of them a receiver requires is there.
  const required = ["@method", "@target-uri"];
  return httpMessageSignatures({ publicUrl, keys: [key], required, insecureShortSecret }) as Source<never>;
};

function messageAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): MessageAlgorithm {
  if (asymmetricKeyType === "ed25519") return "ed25519";
  if (asymmetricKeyType === "rsa") return "rsa-pss-sha512";
  return asymmetricKeyDetails?.namedCurve === "secp384r1" ? "ecdsa-p384-sha384" : "ecdsa-p256-sha256";
}

const makers: ReadonlyMap<string, Make> = new Map<string, Make>([
  [
    "atlassian-connect",
    (settings) =>
      atlassianConnect({
        baseUrl: settings.publicUrl,
        client: () => ({ sharedSecret: secretOf(settings) }),
        insecureShortSecret,
      }) as Source<never>,
  ],
  ["cloudevents", () => cloudEvents() as unknown as Source<never>],
  ["github", bySecret(github)],
  [
    "google-pubsub",
    (settings) =>
      googlePubSub({
        audience: settings.audience ?? settings.url,
        serviceAccount: required(settings.account, "account"),
        jwks: { keys: [jwkOf(settings, settings.keyId ?? "key-1")] },
      }) as unknown as Source<never>,
  ],
  ["http-signature", messages],
  [
    "plaid",
    (settings) => {
      const key = jwkOf(settings, required(settings.keyId, "key-id")) as PlaidKey;
      return plaid({ key: () => key }) as Source<never>;
    },
  ],
  ["shopify", bySecret(shopify)],
  ["slack", bySecret(slack)],
  ["standard-webhooks", standard],
  ["stripe", bySecret(stripe)],
  ["svix", standard],
  [
    "twilio",
    (settings) =>
      twilio({
        secret: secretOf(settings),
        publicUrl: settings.publicUrl,
        insecureShortSecret,
      }) as unknown as Source<never>,
  ],
  ["vonage", bySecret(vonage)],
  ["webex", bySecret(webex)],
  ["webex-connect", (settings) => webexConnect(webexSignature(settings)) as Source<never>],
  ["webex-connect-events", (settings) => webexConnectEvents(webexSignature(settings)) as never],
  [
    "webex-connect-outbound",
    ({ secret }) =>
      webexConnectOutbound(secret === undefined ? {} : { secret, insecureShortSecret }) as never,
  ],
]);

/** Names of the sources that can be sent for. */
export const sourceNames: readonly string[] = [...makers.keys()];

/** The source of a name, that signs with what the command line gives. CommandFailure 2 names the near miss. */
export function namedSource(name: string, settings: SourceSettings): Source<never> {
  const make = makers.get(name);
  if (make !== undefined) return make(settings);
  const near = nearest(name, sourceNames);
  const hint = near === undefined ? `there is ${sourceNames.join(", ")}` : `did you mean "${near}"?`;
  throw misused(`there is no source "${printable(name)}"; ${hint}; one of yours is ./its-module.js`);
}
