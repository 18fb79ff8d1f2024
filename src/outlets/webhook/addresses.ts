import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/**
 * IPv4 addresses that are not on the public Internet (IANA's registry of special-purpose addresses), or that answer only
 * inside a cloud (Azure's 168.63.129.16; other clouds' metadata services are in 169.254.0.0/16, 100.64.0.0/10 and 192.0.0.0/24).
 */
const NOT_PUBLIC_V4 = blockListOf(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
);

/** The only IPv6 addresses that are routed on the public Internet. */
const GLOBAL_V6 = blockListOf('2000::/3');

/** Those among them that are not: protocols' own (such as Teredo), documentation, and 6to4, which can hold any IPv4 address. */
const NOT_PUBLIC_V6 = blockListOf('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20');

/** Addresses and hosts that are allowed although they are not public. */
export class Allowance {
  private readonly ranges = new BlockList();
  private readonly hosts = new Set<string>();

  /** @param entries that `isAllowEntry` accepts. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      if (isRange(entry)) addRange(this.ranges, entry);
      else this.hosts.add(hostOf(entry));
    }
  }

  /** Whether any addresses are allowed as such, whatever name leads to them. */
  get hasRanges(): boolean {
    return this.ranges.rules.length > 0;
  }

  /** Whether a host is allowed by name, wherever that leads. */
  hasHost(host: string): boolean {
    return this.hosts.has(hostOf(host));
  }

  hasAddress(address: string): boolean {
    return isIn(this.ranges, plainAddress(address));
  }
}

/** Whether an entry is valid: an address, a range such as `10.0.0.0/8`, or the name of a host. */
export const isAllowEntry = (entry: string): boolean =>
  isRange(entry) || /^(?!\d+$)[a-z\d_]([\w.-]*\w)?$/i.test(entry);

/** Whether an address is on the public Internet; false for what is no address. */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  if (isIPv4(plain)) return !isIn(NOT_PUBLIC_V4, plain);
  return isIPv6(plain) && isIn(GLOBAL_V6, plain) && !isIn(NOT_PUBLIC_V6, plain);
}

/** The host of a URL, normalised for comparison: in lower case, without brackets and the last dot. */
export const hostOf = (hostname: string): string => hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '');

/**
 * An address without its zone; as IPv4 where it is only written as IPv6: mapped (`::ffff:0:0/96`), or behind NAT64
 * (`64:ff9b::/96`, RFC 6052).
 */
function plainAddress(address: string): string {
  const [bare = ''] = address.split('%');
  if (!isIPv6(bare)) return bare;
  const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const [, high = '0', low] = /^(?:::ffff:|64:ff9b::)(?:([\da-f]+):)?([\da-f]*)$/.exec(canonical) ?? [];
  if (low === undefined) return canonical;
  return dotted(Number.parseInt(high, 16), Number.parseInt(low || '0', 16));
}

const dotted = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.');

function blockListOf(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) addRange(list, range);
  return list;
}

function addRange(list: BlockList, range: string): void {
  const [address = '', bits] = range.split('/');
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  list.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family);
}

const isIn = (list: BlockList, address: string): boolean =>
  isIP(address) !== 0 && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');

function isRange(entry: string): boolean {
  const [address = '', bits, ...more] = entry.split('/');
  const most = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : -1;
  return (
    more.length === 0 && most > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  );
}
