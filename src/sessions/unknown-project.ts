import type { ProjectKeys } from '../livekit-webhook/project-keys.js';
import { SessionRequestError } from './errors.js';

/** What is answered about a project that nobody has configured. */
export const unknownProject = (project: string, known: ProjectKeys): SessionRequestError =>
  new SessionRequestError(
    `there is no project \`${project}\`: name one of ${[...known.keys()].map((name) => `\`${name}\``).join(', ')}`,
  );
