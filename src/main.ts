#!/usr/bin/env node
import { createApplication } from './application.js';
import { AppLogger } from './config/app-logger.js';
import { EnvironmentError } from './config/environment-reader.js';
import { readEnvironment } from './config/environment.js';
import { DatabaseConfigurationError, DatabaseInUseError, PendingMigrationsError } from './database/errors.js';
import { LivekitWebhookOptionsError } from './livekit-webhook/errors.js';

try {
  const environment = readEnvironment(process.env);
  const logger = new AppLogger(environment.log);
  for (const warning of environment.warnings) logger.warn(warning, 'Environment');
  const app = await createApplication(environment, logger);
  await app.listen(environment.http.port, environment.http.host);
  logger.log(`listening on ${await app.getUrl()}`, 'Application');
} catch (error) {
  // What we know the cure of is one clear message; a stack is for what we don't.
  console.error(isOurs(error) ? error.message : error);
  process.exitCode = 1;
}

function isOurs(error: unknown): error is Error {
  return (
    error instanceof EnvironmentError ||
    error instanceof LivekitWebhookOptionsError ||
    error instanceof DatabaseConfigurationError ||
    error instanceof DatabaseInUseError ||
    error instanceof PendingMigrationsError
  );
}
