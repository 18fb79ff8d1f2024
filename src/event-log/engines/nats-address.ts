import { isDecodable } from '../../is-decodable.js';

/** How to reach NATS, as options of its client. */
export interface NatsAddress {
  servers: string[];
  user?: string;
  pass?: string;
  token?: string;
  tls?: object;
}

/** Parses NATS's URL, `nats://user:password@host:4222`, or several separated by commas; undefined when one is invalid. */
export function natsAddress(url: string): NatsAddress | undefined {
  const texts = url.split(',').map((part) => part.trim());
  if (!texts.every((text) => /^(?:nats|tls):\/\/[^/]/.test(text) && URL.canParse(text))) return undefined;
  const urls = texts.map((text) => new URL(text));
  if (!urls.every((each) => isDecodable(each.username + each.password))) return undefined;
  const { username = '', password = '' } = urls.find((each) => each.username !== '') ?? {};
  const user = decodeURIComponent(username);
  return {
    servers: urls.map(({ protocol, host }) => `${protocol}//${host}`),
    ...(user !== '' && (password === '' ? { token: user } : { user, pass: decodeURIComponent(password) })),
    ...(urls.some(({ protocol }) => protocol === 'tls:') && { tls: {} }),
  };
}
