/**
 * The methods that an Express route answers, where it does not answer all; undefined where it does. `router.all`
 * marks the route `_all`, `app.all` names every method that Node knows.
 */
export function partialMethods(route: unknown): readonly string[] | undefined {
  const methods: unknown =
    typeof route === "object" && route !== null ? Reflect.get(route, "methods") : undefined;
  if (typeof methods !== "object" || methods === null) return undefined;
  const named = Object.keys(methods);
  const all = named.includes("_all") || (named.includes("options") && named.includes("put"));
  return all ? undefined : named;
}
