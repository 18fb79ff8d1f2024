import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { OutletError } from '../errors.js';
import { type Allowance, hostOf, isPublicAddress } from './addresses.js';

type Resolve = (
  hostname: string,
  options: { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const refusal = (host: string, cure: string) =>
  new OutletError(`the webhook's host \`${host}\` is at no address that may be reached: ${cure}`);

/** Why a URL can't be posted to, wherever its host's name leads; `undefined` if nothing is known against it. */
export function urlProblem({ protocol, hostname }: URL, allowance: Allowance): string | undefined {
  const host = hostOf(hostname);
  if (allowance.hasHost(host) || allowance.hasAddress(host)) return undefined;
  const isAddress = isIP(host) !== 0;
  if (protocol !== 'https:' && (isAddress || !allowance.hasRanges)) {
    return 'must begin with https:// unless its host is allowed';
  }
  if (isAddress && !isPublicAddress(host))
    return 'is of a private or reserved address: allow it, if it is meant';
  return undefined;
}

/**
 * Resolves names for connections, and returns only addresses that may be connected to: those on the public Internet, or allowed.
 * The connection uses the very address returned, so a name that leads elsewhere the next time gains nothing.
 *
 * @param isPublicAllowed whether public addresses may be connected to: not without TLS.
 */
export const guardedLookup =
  (allowance: Allowance, isPublicAllowed: boolean, resolve: Resolve = systemLookup): LookupFunction =>
  (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, []);
      const isNamed = allowance.hasHost(hostname);
      const allowed = addresses.filter(
        ({ address }) =>
          isNamed || allowance.hasAddress(address) || (isPublicAllowed && isPublicAddress(address)),
      );
      const [first] = allowed;
      if (first === undefined) {
        const cure = isPublicAllowed
          ? 'private and reserved ones must be allowed'
          : 'without https, only what is allowed is';
        return done(refusal(hostname, cure), []);
      }
      if (options.all === true) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
