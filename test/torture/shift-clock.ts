/** Loaded ahead of the server: SIGUSR2 sets its wall clock by the next of the spans in HOOKGATE_SHIFTS, in milliseconds. */
const realNow = Date.now;
const RealDate = Date;
const spans = (process.env.HOOKGATE_SHIFTS ?? "").split(",").filter(Boolean).map(Number);
let shiftMs = Number(process.env.HOOKGATE_FIRST_SHIFT ?? 0);

const shiftedNow = (): number => realNow.call(RealDate) + shiftMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], caller) =>
    Reflect.construct(target, args.length === 0 ? [shiftedNow()] : args, caller),
  get: (target, name, self) => (name === "now" ? shiftedNow : Reflect.get(target, name, self)),
});

process.on("SIGUSR2", () => {
  shiftMs += spans.shift() ?? 0;
  process.stdout.write(`shifted ${shiftMs}\n`);
});
