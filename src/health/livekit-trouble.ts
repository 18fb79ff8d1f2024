import type { LivekitCallError } from '../sessions/reconciliation/asking.js';

/** The codes by which Node says that it does not trust a certificate. */
const ABOUT_CERTIFICATES = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

/** Why LiveKit can't be queried, and what to do: in our words, because its own may hold a token. */
export function livekitTrouble({ status, code, isAboutTimes }: LivekitCallError): string {
  if (status !== undefined) return refusal(status, isAboutTimes);
  if (code === undefined) {
    return 'does not answer in time: see that nothing (a firewall, a proxy) holds our requests to it up';
  }
  const cure = ABOUT_CERTIFICATES.test(code)
    ? 'give it a certificate that Node trusts, or name its authority in `NODE_EXTRA_CA_CERTS`'
    : 'see that `livekitUrl` (`LIVEKIT_URL`) is its address, that it runs, and that it can be reached from here';
  return `can't be reached (${code}): ${cure}`;
}

function refusal(status: number, isAboutTimes: boolean): string {
  if (status === 401 && isAboutTimes) {
    return 'refuses our token by its times (401): its clock and ours are apart, so synchronise both (NTP)';
  }
  if (status === 401) {
    return 'refuses our API key, or its secret (401): compare both with `keys` in its configuration';
  }
  if (status === 403)
    return 'does not let our API key list rooms (403): give it a key that may do everything';
  if (status === 404) {
    return 'has no API there (404): give `livekitUrl` (`LIVEKIT_URL`) its address, and let a proxy in front pass `/twirp` on';
  }
  if (status === 429) return 'is asked too often (429): raise `reconcileInterval` (`RECONCILE_INTERVAL`)';
  return status >= 500
    ? `answers ${status}: it, or a proxy in front of it, is in trouble, so look into their logs`
    : `answers ${status}: see that \`livekitUrl\` (\`LIVEKIT_URL\`) is the address of a LiveKit server`;
}
