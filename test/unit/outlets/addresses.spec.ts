import fc from 'fast-check';
import { BlockList, type LookupFunction } from 'node:net';
import { Allowance, isAllowEntry, isPublicAddress } from '../../../src/outlets/webhook/addresses.js';
import { guardedLookup, urlProblem } from '../../../src/outlets/webhook/guarded-lookup.js';

const NONE = new Allowance([]);

describe('an address', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '192.0.1.1',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:a9fe:a9fe',
    '::ffff:0:127.0.0.1',
    '64:ff9b::',
    '64:ff9b::1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::8.8.8.8',
    '100::1',
    '2001::1',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    '2001:db8::1',
    '2002:7f00:1::1',
    '2002:808:808::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    'localhost',
    '127.1',
    '',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test('is public however IPv6 writes it, if and only if the IPv4 one in it is', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const bytes = address.split('.').map(Number) as [number, number, number, number];
        const group = (high: number, low: number) => ((high << 8) | low).toString(16);
        const groups = `${group(bytes[0], bytes[1])}:${group(bytes[2], bytes[3])}`;
        const ways = [
          `::ffff:${address}`,
          `::FFFF:${groups}`,
          `0:0:0:0:0:ffff:${groups}`,
          `64:ff9b::${address}`,
          `64:ff9b:0:0:0:0:${groups}`,
        ];
        const isPublic = isPublicAddress(address);
        for (const way of ways) expect([way, isPublicAddress(way)]).toEqual([way, isPublic]);
      }),
    );
  });

  test('of IPv6 is never public outside of 2000::/3, but for those of IPv4', () => {
    const routed = new BlockList();
    routed.addSubnet('2000::', 3, 'ipv6');
    routed.addSubnet('::ffff:0:0', 96, 'ipv6');
    routed.addSubnet('64:ff9b::', 96, 'ipv6');
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(isPublicAddress(address) && !routed.check(address, 'ipv6')).toBe(false);
      }),
    );
  });
});

test.each([
  ['10.0.0.0/8', true],
  ['192.168.1.7', true],
  ['fd00::/8', true],
  ['::1', true],
  ['localhost', true],
  ['receiver.internal.example', true],
  ['receiver_1', true],
  ['10.0.0.0/33', false],
  ['fd00::/129', false],
  ['10.0.0.0/8/8', false],
  ['fe80::1%eth0', false],
  ['https://example.com', false],
  ['example.com:8080', false],
  ['*.example.com', false],
  ['', false],
])('%s can be allowed: %p', (entry, can) => {
  expect(isAllowEntry(entry)).toBe(can);
});

describe('a URL', () => {
  test.each([
    ['https://example.com/hook', []],
    ['https://93.184.215.14/', []],
    ['https://[2606:4700:4700::1111]/', []],
    ['https://10.1.2.3/', ['10.0.0.0/8']],
    ['https://[::1]/', ['::1']],
    ['https://[::ffff:10.1.2.3]/', ['10.0.0.0/8']],
    ['http://LOCALHOST.:8080/', ['localhost']],
    ['http://127.0.0.1:8080/', ['127.0.0.1']],
    ['http://receiver:8080/', ['10.0.0.0/8']],
  ])('%s may be posted to with %j allowed', (url, allow) => {
    expect(urlProblem(new URL(url), new Allowance(allow))).toBeUndefined();
  });

  test.each([
    ['http://example.com/', [], /begin with https/],
    ['http://example.com/', ['localhost'], /begin with https/],
    ['http://93.184.215.14/', ['10.0.0.0/8'], /begin with https/],
    ['https://127.0.0.1/', [], /private or reserved/],
    ['https://127.1/', [], /private or reserved/],
    ['https://0x7f000001/', [], /private or reserved/],
    ['https://2130706433/', [], /private or reserved/],
    ['https://017700000001/', [], /private or reserved/],
    ['https://169.254.169.254/latest/meta-data/', [], /private or reserved/],
    ['https://[::1]/', [], /private or reserved/],
    ['https://[::ffff:127.0.0.1]/', [], /private or reserved/],
    ['https://[fd00:ec2::254]/', [], /private or reserved/],
    ['https://10.1.2.3/', ['10.0.0.0/16'], /private or reserved/],
  ])('%s may not with %j', (url, allow, problem) => {
    expect(urlProblem(new URL(url), new Allowance(allow))).toMatch(problem);
  });
});

describe('a name that is looked up', () => {
  const leadingTo =
    (...addresses: string[]) =>
    (_: string, __: object, done: (error: null, found: { address: string; family: number }[]) => void) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  const look = (lookup: LookupFunction, host: string, all = true) =>
    new Promise((resolve) => {
      lookup(host, { all }, (error, addresses) => resolve(error?.message ?? addresses));
    });

  test('leads to what is public among its addresses, and to nothing else', async () => {
    const lookup = guardedLookup(NONE, true, leadingTo('10.0.0.1', '8.8.8.8', '::1', '2606:4700::1'));
    expect(await look(lookup, 'example.com')).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    expect(await look(lookup, 'example.com', false)).toBe('8.8.8.8');
  });

  test('is refused when nothing is left of them', async () => {
    const lookup = guardedLookup(NONE, true, leadingTo('169.254.169.254', '::ffff:10.0.0.1'));
    expect(await look(lookup, 'rebound.example')).toMatch(/`rebound\.example` is at no address.*allowed/);
  });

  test('leads to private addresses that are allowed, or of a host that is', async () => {
    const addresses = leadingTo('10.0.0.1', '192.168.0.1');
    const ranges = guardedLookup(new Allowance(['10.0.0.0/8']), true, addresses);
    expect(await look(ranges, 'receiver')).toEqual([{ address: '10.0.0.1', family: 4 }]);
    const hosts = guardedLookup(new Allowance(['receiver']), false, addresses);
    expect(await look(hosts, 'Receiver.')).toHaveLength(2);
  });

  test('leads without TLS to nothing that is not allowed', async () => {
    const lookup = guardedLookup(new Allowance(['10.0.0.0/8']), false, leadingTo('8.8.8.8'));
    expect(await look(lookup, 'example.com')).toMatch(/without https, only what is allowed/);
  });

  test('fails as the resolver does', async () => {
    const lookup = guardedLookup(NONE, true, (_, __, done) => done(new Error('ENOTFOUND'), []));
    expect(await look(lookup, 'nowhere.example')).toBe('ENOTFOUND');
  });
});
