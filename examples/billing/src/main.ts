import { startBackend } from './backend.js';
import { config } from './config.js';

await startBackend('log', 'warn', 'error');
console.log(`bills are at ${config.url}/bills; \`npm run play\` plays recorded calls at it`);
