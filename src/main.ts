#!/usr/bin/env node
import { endsByItself } from './until-it-listens.js'; // before the others, which take their time
import { createApplication } from './application.js';
import { AppLogger } from './config/app-logger.js';
import { EnvironmentError } from './config/environment-reader.js';
import { readEnvironment } from './config/environment.js';
import { startTracingSdk } from './tracing-sdk.js';

try {
  const environment = readEnvironment(process.env);
  const logger = new AppLogger(environment.log);
  for (const warning of environment.warnings) logger.warn(warning, 'Environment');
  const app = await createApplication(environment, logger, await startTracingSdk(process.env));
  endsByItself();
  await app.listen(environment.http.port, environment.http.host);
  logger.log(`listening on ${await app.getUrl()}`, 'Application');
} catch (error) {
  // Whatever else keeps it from starting has been logged by Nest.
  if (error instanceof EnvironmentError) console.error(error.message);
  process.exit(1);
}
