#!/usr/bin/env node
import { createApplication } from './application.js';
import { AppLogger } from './config/app-logger.js';
import { EnvironmentError } from './config/environment-reader.js';
import { type Environment, readEnvironment } from './config/environment.js';

const environment = environmentOrExit();
const { http, log, warnings } = environment;
const logger = new AppLogger(log);
for (const warning of warnings) logger.warn(warning, 'Environment');
// What Nest can't start with, it logs itself.
const app = await createApplication(environment, logger).catch(() => process.exit(1));
try {
  await app.listen(http.port, http.host);
  logger.log(`listening on ${await app.getUrl()}`, 'Application');
} catch (error) {
  logger.fatal(error instanceof Error ? `${error.message}: give another PORT or HOST` : error, 'Application');
  process.exit(1);
}

function environmentOrExit(): Environment {
  try {
    return readEnvironment(process.env);
  } catch (error) {
    console.error(error instanceof EnvironmentError ? error.message : error);
    return process.exit(1);
  }
}
