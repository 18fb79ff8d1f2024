// Asks the application in this container whether it is ready: 0 is yes, as `HEALTHCHECK` wants it.
import { get as getOverHttp } from 'node:http';
import { get as getOverHttps } from 'node:https';

const { PORT, TLS_CERT_FILE } = process.env;
const get = TLS_CERT_FILE ? getOverHttps : getOverHttp;

get(
  // The certificate is for the name that others call it by.
  { host: '127.0.0.1', port: PORT || 8080, path: '/health/ready', rejectUnauthorized: false },
  ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1),
).on('error', () => process.exit(1));
