#!/usr/bin/env node
import { endsByItself } from './application/until-it-listens.js'; // before the others, which take their time
import { ShutdownSignal } from '@nestjs/common';
import { createApplication } from './application/application.js';
import { AppLogger } from './config/app-logger.js';
import { EnvironmentError } from './config/environment-reader.js';
import { readEnvironment } from './config/environment.js';
import { errorFields, toldOf } from './logging/error-fields.js';
import { MissingPeerError } from './optional-peer.js';
import { startTracingSdk } from './application/tracing-sdk.js';

// Then Nest stops it: what it was in the middle of fails, which is no news.
let isAskedToEnd = false;

try {
  const environment = readEnvironment(process.env);
  const logger = new AppLogger(environment.log);
  for (const warning of environment.warnings) logger.warn(warning, 'Environment');
  const app = await createApplication(environment, logger, await startTracingSdk(process.env));
  endsByItself();
  for (const signal of Object.values(ShutdownSignal)) process.once(signal, () => (isAskedToEnd = true));
  const { port, host } = environment.http;
  await app.init().catch((error: unknown) => {
    if (!isAskedToEnd)
      logger.error({ message: 'the application does not start', ...errorFields(error) }, 'Application');
    throw error;
  });
  await app.listen(port, host).catch((error: unknown) => {
    throw new EnvironmentError([
      `PORT is ${port} and HOST is ${host}, where the application can't listen (${toldOf(error)}): give an address of this machine, and a port that is free there`,
    ]);
  });
  logger.log(`listening on ${await app.getUrl()}`, 'Application');
} catch (error) {
  if (!isAskedToEnd) {
    // What keeps it from starting is in the log, unless LOG_LEVEL leaves that out.
    console.error(
      error instanceof EnvironmentError || error instanceof MissingPeerError
        ? error.message
        : `The application can't start (${toldOf(error)}): lines of the level error say why`,
    );
    process.exit(1);
  }
}
