export type { EventToSend, SignedDelivery, SignedDeliveryOptions } from "../signatures/sign.js";
export { signBody, signedDelivery } from "../signatures/sign.js";
export type { SigningOptions } from "../signatures/signing-options.js";
export type { InboxEngine } from "../types/engine.js";
export type { TestAnswer, TestDelivery, TestTarget } from "./delivery.js";
export { sendDelivery } from "./delivery.js";
export type {
  ConformanceCase,
  ConformanceEffects,
  ConformanceHarness,
  ConformanceStore,
} from "./engine-conformance/index.js";
export { inboxEngineConformance } from "./engine-conformance/index.js";
export type { FakeClock } from "./fake-clock.js";
export { createFakeClock } from "./fake-clock.js";
export type { MemoryEngineOptions } from "./memory-engine.js";
export { memoryEngine } from "./memory-engine.js";
export type { SigningAlgorithm, TestSigner } from "./signer.js";
export { createTestSigner } from "./signer.js";
