import { expect, it } from "@jest/globals";
import { assertOptions, optionKeys } from "../../src/lib/options.js";

interface Options {
  readonly size: number;
  readonly limit?: number | undefined;
}

type Either = { readonly secret: string } | { readonly publicKey: string; readonly size?: number };

it("lists the names in the order given", () => {
  expect(optionKeys<Options>({ size: true, limit: true })).toEqual(["size", "limit"]);
  expect(optionKeys<Either>({ secret: true, publicKey: true, size: true })).toHaveLength(3);
});

it("does not compile when a name is missing, unknown or misspelled", () => {
  // @ts-expect-error: `limit` is missing
  optionKeys<Options>({ size: true });
  // @ts-expect-error: there is no option `weight`
  optionKeys<Options>({ size: true, limit: true, weight: true });
  // @ts-expect-error: `Limit` is `limit`
  optionKeys<Options>({ size: true, Limit: true });
  // @ts-expect-error: an option of one part of a union is missing
  optionKeys<Either>({ secret: true, size: true });
});

it("is the only list that assertOptions takes", () => {
  const check = () => assertOptions({}, optionKeys<Options>({ size: true, limit: true }), "x");
  expect(check).not.toThrow();
  // @ts-expect-error: a list written by hand may forget an option
  expect(() => assertOptions({}, ["size", "limit"], "x")).not.toThrow();
});
