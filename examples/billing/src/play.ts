import { config } from './config.js';
import { playRecordedCalls } from './recorded-calls.js';

await fetch(`${config.url}/bills`).catch(() => {
  console.error(`nobody answers at ${config.url}: start the backend first, with \`npm start\``);
  process.exit(1);
});
await playRecordedCalls();
console.log(await (await fetch(`${config.url}/bills`)).text());
