import { createDataSource } from './src/database/data-source.js';

/** For the TypeORM CLI, on the database that `DATABASE_URL` names: `npm run typeorm migration:run`. */
export default createDataSource({
  url: process.env['DATABASE_URL'] || 'file:./data/voice.sqlite',
  migrates: true,
}).setOptions({ logger: 'advanced-console' }); // what the CLI says, it says through it
