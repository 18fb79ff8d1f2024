import { natsAddress } from '../../../src/event-log/engines/nats-address.js';

describe('the address of NATS', () => {
  test('is told with the user and password that it holds', () => {
    expect(natsAddress('nats://us%40er:p%25@a:4222, tls://b')).toEqual({
      servers: ['nats://a:4222', 'tls://b'],
      user: 'us@er',
      pass: 'p%',
      tls: {},
    });
  });

  test.each(['nats://u:p%zz@h', 'nats://u%:p@h', 'nats://a,nats://u:%@b', 'http://h', 'nats://'])(
    '%s can not be read',
    (url) => {
      expect(natsAddress(url)).toBeUndefined();
    },
  );
});
