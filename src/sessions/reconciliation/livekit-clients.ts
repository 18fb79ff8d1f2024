import { Inject, Injectable } from '@nestjs/common';
import { EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import { PROJECT_KEYS, type ProjectKeys } from '../../livekit-webhook/project-keys.js';
import { SessionsOptionsError } from '../errors.js';
import { livekitUrlOf, SESSIONS_SETTINGS, type SessionsSettings } from '../sessions.options.js';

/** How long LiveKit has to answer, seconds. */
const TIMEOUT = 5;

/** The clients of a project's LiveKit. */
export interface LivekitClient {
  project: string;
  /** LiveKit's host, for the log, without what else an address may contain. */
  host: string;
  rooms: RoomServiceClient;
  egress: EgressClient;
}

/** The clients of every project whose LiveKit has an address. */
@Injectable()
export class LivekitClients {
  private readonly byProject: ReadonlyMap<string, LivekitClient>;

  /** @throws SessionsOptionsError when an address belongs to no project, or to one without an API key. */
  constructor(
    @Inject(SESSIONS_SETTINGS) { livekitUrls }: Pick<SessionsSettings, 'livekitUrls'>,
    @Inject(PROJECT_KEYS) keys: ProjectKeys,
  ) {
    const unknown = [...livekitUrls.keys()].find((project) => project !== '' && !keys.has(project));
    if (unknown !== undefined) {
      throw new SessionsOptionsError(
        `livekitUrl.${unknown}`,
        `is the address of a project that does not exist: name one of ${[...keys.keys()].map((name) => `\`${name}\``).join(', ')}`,
      );
    }
    this.byProject = new Map(
      [...keys].flatMap(([project, key]) => {
        const url = livekitUrlOf({ livekitUrls }, project);
        if (url === undefined) return [];
        if (key === null) {
          throw new SessionsOptionsError(
            livekitUrls.has(project) ? `livekitUrl.${project}` : 'livekitUrl',
            `is given, and project \`${project}\` has no API key to ask LiveKit with: give \`LivekitWebhookModule\` the \`apiKey\` beside its secret, or leave the address out`,
          );
        }
        // No need to fail over to another region at once: LiveKit is asked again soon.
        const options = { requestTimeout: TIMEOUT, failover: false };
        const secret = key.secret.export().toString('utf8');
        return [
          [
            project,
            {
              project,
              host: new URL(url).host,
              rooms: new RoomServiceClient(url, key.apiKey, secret, options),
              egress: new EgressClient(url, key.apiKey, secret, options),
            },
          ],
        ];
      }),
    );
  }

  /** Those of all projects. */
  all(): LivekitClient[] {
    return [...this.byProject.values()];
  }

  /** Those of a project. @throws SessionsOptionsError when it has no address. */
  of(project: string): LivekitClient {
    const client = this.byProject.get(project);
    if (client !== undefined) return client;
    throw new SessionsOptionsError(
      'livekitUrl',
      `is not given for project \`${project}\`: give it the address of LiveKit, such as \`https://livekit.example.com\``,
    );
  }
}
