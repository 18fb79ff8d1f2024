// `node --import`ed: the clock of this process is off by CLOCK_SHIFT milliseconds, until SIGCONT has it put right, as that of a
// machine that was resumed. Timers and `performance.now()` go on as they do.
let shift = Number(process.env.CLOCK_SHIFT);
process.on('SIGCONT', () => (shift = 0));
const now = () => Reflect.apply(realNow, Date, []) + shift;
const realNow = Date.now;
Date.now = now;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
});
