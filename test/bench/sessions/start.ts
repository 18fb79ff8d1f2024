/** Starts an application with sessions again and again: `sessions/start.ts <database url>`. */
import { SessionsModule } from '../../../dist/index.js';
import { application } from '../application.js';
import { answer } from '../child.js';

const [url = ''] = process.argv.slice(2);

answer<object>(async () => {
  const start = performance.now();
  const app = await application({ database: { url }, imports: [SessionsModule.forRoot({ settle: 0 })] });
  await app.listen(0, '127.0.0.1');
  const milliseconds = performance.now() - start;
  await app.close();
  return milliseconds;
});
