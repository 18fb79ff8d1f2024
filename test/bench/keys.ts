/** What deliveries are signed with, and where they are sent. */
export const API_KEY = 'APIbench';
export const API_SECRET = 'a-benchmark-secret-of-some-length';
export const PATH = '/voice/livekit/webhooks';
