/** Fills a database with sessions: `sessions/fill.ts <database url>`. */
import { answer } from '../child.js';
import { type Copies, fill } from './copies.js';

const [url = ''] = process.argv.slice(2);

answer<Copies>((copies) => fill(url, copies));
