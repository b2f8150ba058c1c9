import assert from "node:assert/strict";
import type { EngineCapabilities } from "../../types/engine.js";
import { acceptCases, boundCases } from "./accept.js";
import { heldCases, orderCases } from "./order.js";
import { changeCases, recordCases } from "./records.js";
import { effectCases, runCases, taskCases } from "./runs.js";
import { type CaseDefinition, type ConformanceCase, type ConformanceHarness, Scene } from "./scene.js";
import { sharedCases } from "./shared.js";

export type {
  ConformanceCase,
  ConformanceEffects,
  ConformanceHarness,
  ConformanceStore,
} from "./scene.js";

const defaultLeaseMs = 400;

const capabilityCase: CaseDefinition = {
  name: "capabilities: five answers, each yes or no",
  async run({ engine }) {
    const { durable, shared, atomicEffects, ordered, search } = engine.capabilities;
    for (const capability of [durable, shared, atomicEffects, ordered, search]) {
      assert.equal(typeof capability, "boolean");
    }
  },
};

/**
 * The cases that every engine of an inbox must pass, for any test runner: register each under its name, and let its `run`
 * reject where it fails. Each case asks `harness.create` for an empty store of its own and disposes of it. Where the
 * engine says that it lacks a capability, the cases for it do nothing; `shared` and `durable` need `reopen`,
 * `atomicEffects` needs `effects`, and the harness is told so.
 *
 * @example
 * for (const { name, run } of inboxEngineConformance(harness)) test(name, run);
 */
export function inboxEngineConformance<Tx = never>(
  harness: ConformanceHarness<Tx>,
): readonly ConformanceCase[] {
  const definitions = [
    capabilityCase,
    ...acceptCases,
    ...boundCases,
    ...taskCases,
    ...runCases,
    ...orderCases,
    ...heldCases,
    ...effectCases,
    ...recordCases,
    ...changeCases,
    ...sharedCases,
  ];
  return definitions.map((definition) => ({
    name: definition.name,
    run: () => runCase(harness, definition),
  }));
}

async function runCase<Tx>(harness: ConformanceHarness<Tx>, definition: CaseDefinition): Promise<void> {
  const store = await harness.create();
  try {
    if (!isAsked(definition.needs, store.engine.capabilities, store.freeze !== undefined)) return;
    const scene = new Scene(store, harness.leaseMs ?? defaultLeaseMs);
    try {
      await scene.open(store.engine);
      await definition.run(scene);
      scene.throwFault();
    } finally {
      await scene.end();
    }
  } finally {
    await store.dispose();
  }
}

function isAsked(
  needs: CaseDefinition["needs"],
  capabilities: EngineCapabilities,
  freezes: boolean,
): boolean {
  if (needs === undefined) return true;
  if (needs === "reopen") return capabilities.durable || capabilities.shared;
  if (needs === "freeze") return capabilities.shared && freezes;
  return capabilities[needs];
}
