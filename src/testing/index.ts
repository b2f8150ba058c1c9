export type { TestAnswer, TestDelivery, TestTarget } from "./delivery.js";
export { sendDelivery } from "./delivery.js";
export type { FakeClock } from "./fake-clock.js";
export { createFakeClock } from "./fake-clock.js";
export type { SigningAlgorithm, TestSigner } from "./signer.js";
export { createTestSigner } from "./signer.js";
