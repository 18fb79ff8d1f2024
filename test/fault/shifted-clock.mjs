// `node --import`ed: the clock of this process is off by CLOCK_SHIFT milliseconds. Timers and `performance.now()` go on as they do.
const shift = Number(process.env.CLOCK_SHIFT);
const now = () => Reflect.apply(realNow, Date, []) + shift;
const realNow = Date.now;
Date.now = now;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
});
