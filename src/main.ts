#!/usr/bin/env node
import { createApplication } from './application.js';
import { AppLogger } from './config/app-logger.js';
import { EnvironmentError, readEnvironment } from './config/environment.js';

try {
  const environment = readEnvironment(process.env);
  const logger = new AppLogger(environment.log);
  for (const warning of environment.warnings) logger.warn(warning, 'Environment');
  const app = await createApplication(environment, logger);
  await app.listen(environment.http.port, environment.http.host);
  logger.log(`listening on ${await app.getUrl()}`, 'Application');
} catch (error) {
  // One clear message; a stack only where the cause is unknown.
  const known =
    error instanceof EnvironmentError ||
    (error instanceof Error && error.constructor !== Error && 'name' in error);
  console.error(known ? (error as Error).message : error);
  process.exitCode = 1;
}
