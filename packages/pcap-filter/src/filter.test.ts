import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bpfImage, compileFilter, FilterError } from './index.ts';

/** A frame of octets in hexadecimal; spaces are for the reader. */
function octets(...parts: string[]): Uint8Array {
  return Uint8Array.from(parts.join('').replace(/ /g, '').match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
}

const ETHER = '0200 0000 0002 0200 0000 0001';
const IP_TCP = '4500 0028 0001 0000 4006 0000 0a00 0001 0a00 0002';
const SYN = '3039 0050 0000 0001 0000 0000 5002 ffff 0000 0000';
const TCP_SYN = octets(ETHER, '0800', IP_TCP, SYN);
const LATER_FRAGMENT = octets(ETHER, '0800', '4500 0028 0001 0001 4006 0000 0a00 0001 0a00 0002', SYN);
const IP_OPTIONS = octets(ETHER, '0800', '4600 002c 0001 0000 4006 0000 0a00 0001 0a00 0002 0101 0100', SYN);
const TCP6 = octets(ETHER, '86dd', '6000 0000 0014 0640', '2001 0db8 0000 0000 0000 0000 0000 0001', '2001 0db8 0000 0000 0000 0000 0000 0002', SYN);
const ARP = octets('ffff ffff ffff 0200 0000 0001', '0806', '0001 0800 0604 0001 0200 0000 0001 0a00 0001 0000 0000 0000 0a00 0002');
const TAGGED = octets(ETHER, '8100 0005 0800', IP_TCP, SYN);

function matches(text: string, frame: Uint8Array, linkType = 1): boolean {
  return compileFilter(text, { linkType }).match(frame, 0, frame.length, frame.length);
}

function errorOf(text: string, linkType = 1): FilterError {
  try {
    compileFilter(text, { linkType });
  } catch (error) {
    if (error instanceof FilterError) return error;
    throw error;
  }
  throw new Error(`'${text}' is a filter`);
}

/** The letters that an error points at. */
function pointedAt(text: string): string {
  const { position, length } = errorOf(text);
  return text.slice(position, position + length);
}

describe('what a filter selects', () => {
  test('nothing said is every packet', () => {
    expect(matches('', TCP_SYN)).toBe(true);
    expect(matches('  \n', new Uint8Array(0))).toBe(true);
  });

  test('`tcp port 80` is IPv4 and IPv6, behind a header with options, too', () => {
    for (const frame of [TCP_SYN, TCP6, IP_OPTIONS]) expect(matches('tcp port 80', frame)).toBe(true);
    expect(matches('tcp src port 80', TCP_SYN)).toBe(false);
    expect(matches('port http', TCP_SYN)).toBe(true);
    expect(matches('udp port 80', TCP_SYN)).toBe(false);
  });

  test('ports are not looked for in a later fragment', () => {
    expect(matches('tcp', LATER_FRAGMENT)).toBe(true);
    expect(matches('port 80', LATER_FRAGMENT)).toBe(false);
    expect(matches('tcp[13] = 2', LATER_FRAGMENT)).toBe(false);
  });

  test('a host is looked for in ARP, too', () => {
    expect(matches('host 10.0.0.1', ARP)).toBe(true);
    expect(matches('ip host 10.0.0.1', ARP)).toBe(false);
    expect(matches('arp dst host 10.0.0.2', ARP)).toBe(true);
  });

  test('an id inherits the qualifiers before it', () => {
    expect(matches('port 22 or 80', TCP_SYN)).toBe(true);
    expect(matches('src host 10.0.0.9 or 10.0.0.1', TCP_SYN)).toBe(true);
    expect(matches('dst host 10.0.0.9 or 10.0.0.1', TCP_SYN)).toBe(false);
    expect(matches('not host 10.0.0.9 and 10.0.0.1', TCP_SYN)).toBe(true);
  });

  test('`and` and `or` have one precedence, from the left', () => {
    expect(matches('tcp or arp and arp', TCP_SYN)).toBe(false);
    expect(matches('tcp or (arp and arp)', TCP_SYN)).toBe(true);
  });

  test('`vlan` moves the offsets for all that stands behind it', () => {
    expect(matches('tcp port 80', TAGGED)).toBe(false);
    expect(matches('vlan 5 and tcp port 80', TAGGED)).toBe(true);
    expect(matches('vlan 6 and tcp port 80', TAGGED)).toBe(false);
    expect(matches('tcp port 80 or vlan', TAGGED)).toBe(true);
    expect(matches('vlan or tcp port 80', TCP_SYN)).toBe(false);
  });

  test('a load behind the stored bytes makes the whole filter false, under `not`, too', () => {
    expect(matches('not ether[100] = 1', TCP_SYN)).toBe(false);
    expect(matches('ether[100] = 1 or tcp', TCP_SYN)).toBe(false);
    expect(matches('tcp or ether[100] = 1', TCP_SYN)).toBe(true);
  });

  test('what is stored decides on loads, what was on the wire on lengths', () => {
    const { match } = compileFilter('greater 1000 and tcp');
    expect(match(TCP_SYN, 0, TCP_SYN.length, 1500)).toBe(true);
    expect(match(TCP_SYN, 0, TCP_SYN.length, 999)).toBe(false);
    expect(match(TCP_SYN, 0, 20, 1500)).toBe(false);
  });

  test('a packet is judged where it is in its buffer', () => {
    const buffer = new Uint8Array(500).fill(0xff);
    buffer.set(TCP_SYN, 123);
    expect(compileFilter('tcp[tcpflags] = tcp-syn and src host 10.0.0.1').match(buffer, 123, TCP_SYN.length, TCP_SYN.length)).toBe(true);
  });

  test('names of hosts, networks and link-layer addresses are what the options say', () => {
    const hosts = new Map([['web', ['2001:db8::2', '10.0.0.2']]]);
    const options = { hosts, networks: new Map([['lan', '10.0.0.0/8']]), ethers: new Map([['nic', '02:00:00:00:00:01']]) };
    for (const text of ['host web', 'ip dst host web', 'src net lan', 'ether src nic']) {
      expect([text, compileFilter(text, options).match(TCP_SYN, 0, TCP_SYN.length, TCP_SYN.length)]).toEqual([text, true]);
    }
    expect(compileFilter('ip6 dst host web', options).match(TCP6, 0, TCP6.length, TCP6.length)).toBe(true);
    expect(compileFilter('src host web', options).match(TCP_SYN, 0, TCP_SYN.length, TCP_SYN.length)).toBe(false);
  });

  test('bare IP packets have no type before them', () => {
    expect(matches('tcp port 80', TCP_SYN.subarray(14), 101)).toBe(true);
    expect(matches('tcp port 80', TCP6.subarray(14), 101)).toBe(true);
    expect(matches('arp', TCP_SYN.subarray(14), 101)).toBe(false);
  });

  test('behind a radiotap header and a QoS header the payload begins where they end', () => {
    const radiotap = '0000 0c00 0400 0000 0200 0000';
    const qosData = '8802 0000 0200 0000 0002 0200 0000 0003 0200 0000 0001 0000 0000';
    const frame = octets(radiotap, qosData, 'aaaa 0300 0000 0800', IP_TCP, SYN);
    for (const text of ['tcp port 80', 'ip src host 10.0.0.1', 'ether src 02:00:00:00:00:01', 'ether dst 02:00:00:00:00:02', 'tcp[13] = 2', 'link[0] = 0x88', 'radio[2] = 12']) {
      expect([text, matches(text, frame, 127)]).toEqual([text, true]);
    }
    expect(matches('ether src 02:00:00:00:00:03', frame, 127)).toBe(false);
    expect(matches('tcp port 80', frame.subarray(12), 105)).toBe(true);
    expect(matches('tcp', octets('8402 0000', '0200 0000 0002'), 105)).toBe(false);
  });

  test('whatever the bytes are, it neither throws nor reads past them', () => {
    const filters = ['tcp[tcp[12] >> 2 : 4] != 0', 'vlan and mpls and ip6', 'ip[ip[2:2]] = 0', 'link[len * len - 1] = 0', '1 / link[0] = 0'].map((text) => compileFilter(text));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      for (const filter of filters) expect(typeof filter.match(bytes, 0, bytes.length, bytes.length)).toBe('boolean');
    }));
  });
});

describe('arithmetic', () => {
  test.each([
    ['7 - 2 - 1 = 4'], ['2 + 3 * 4 = 14'], ['1 << 2 + 3 = 32'], ['6 & 3 | 8 = 10'], ['1 * 2 % 3 + 4 = 2'], ['0xffffffff > 1'], ['-1 = 0xffffffff'], ['010 = 8'],
    ['1 - 2 > 5'], ['7 / 2 = 3'], ['-1 / 2 = 0x7fffffff'], ['0x10000 * 0x10000 = 0'], ['0x80000000 >> 31 = 1'], ['(5 ^ 1) = 4'], ['len - 14 = 40'], ['tcp[13] & (tcp-syn|tcp-ack) = tcp-syn'],
    ['ip[2:2] = 40'], ['ip[12:4] = 0x0a000001'], ['ip[ip[8] - 63] = 0'],
  ])('%s', (text) => expect(matches(text, TCP_SYN)).toBe(true));

  test('a division by what is 0 in the packet makes the filter false', () => {
    expect(matches('not 1 / (ip[1] + 0) = 5', TCP_SYN)).toBe(false);
  });
});

describe('errors', () => {
  test('show the filter with a caret below each letter of the wrong word', () => {
    expect(errorOf('tcp prot 80').message).toBe("unexpected 'prot': expected 'and', 'or' or the end (did you mean 'port'?)\n  tcp prot 80\n      ^^^^");
    expect(errorOf('host').message).toBe("the filter ends too early: expected an address or a host's name\n  host\n      ^");
  });

  test.each([
    ['tcp port htpt', 'htpt', /unknown port/], ['host 1.2.3.400', '1.2.3.400', /not an IPv4 address/], ['net 10.0.0.1/8', '10.0.0.1', /bits set/], ['net 10.0.0.0/33', '33', /at most 32/],
    ['tcp host 1.2.3.4', '1.2.3.4', /'tcp' cannot qualify/], ['vlan 5000', '5000', /at most 4095/], ['tcp[0:3] = 1', '3', /1, 2 or 4/], ['port 80 and (tcp', '', /ends too early/],
    ['port 70000', '70000', /larger than 65535/], ['tcp or 80', '80', /nothing to inherit/], ['ip proto tcp', 'tcp', /\\tcp/], ['udp port http', 'http', /of tcp/], ['len = 08', '08', /octal/],
    ['len = 4294967296', '4294967296', /32 bits/], ['ip & tcp', '&', /expected/], ['tcp; udp', ';', /illegal character/], ['1 / 0 = len', '0', /division by zero/],
    ['ether host 10.0.0.1', '10.0.0.1', /link-layer address/], ['mpls and arp', 'arp', /under MPLS/], ['ip protochain 6', '6', /loops/], ['gateway foo', 'foo', /not supported/],
    ['inbound', 'inbound', /cooked/], ['arp port 5', '5', /has no ports/], ['src gateway foo', 'src gateway', /no direction/], ['llc foo', 'foo', /unknown LLC type/], ['net ::1/33', '::1', /bits set/],
    ['ip[0', '', /':' and a size/], ['ifname eth0', 'ifname', /pf log/], ['type mgt', 'type', /not supported/], ['not', '', /ends too early/], ['host example', 'example', /unknown host/],
  ])('%s', (text, word, reason) => {
    expect(pointedAt(text)).toBe(word);
    expect(errorOf(text).reason).toMatch(reason);
  });

  test('of a link type that filters do not know, lengths and octets can be tested, and nothing else', () => {
    for (const text of ['', 'len = 54', 'greater 54 and link[12] = 8', 'not less 50']) expect([text, matches(text, TCP_SYN, 195)]).toEqual([text, true]);
    for (const text of ['tcp', 'host 10.0.0.1', 'ip[0] = 1', 'broadcast', 'vlan']) expect([text, errorOf(text, 195).position]).toEqual([text, text.startsWith('host') ? 5 : 0]);
    expect(errorOf('less 5 or tcp', 195).reason).toMatch(/195/);
  });

  test('whatever the words are, the error is a FilterError that points into the text', () => {
    const word = fc.constantFrom('tcp', 'port', '80', 'and', 'not', '(', ')', '[', ']', ':', 'host', '10.0.0.1', '::1', '/', 'len', '=', '&', '-', 'vlan', 'src', 'or', 'x-y', '\\tcp', '0x', '~', '1:2', 'net', 'mask');
    fc.assert(fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      const text = words.join(' ');
      try {
        compileFilter(text);
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
        expect(error.position).toBeLessThanOrEqual(text.length);
        expect(error.message.split('\n')).toHaveLength(3);
      }
    }), { numRuns: 500 });
  });

  test('a filter of thousands of hosts compiles', () => {
    const hosts = Array.from({ length: 3000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    expect(matches(`host ${hosts.join(' or ')}`, TCP_SYN)).toBe(true);
    expect(matches(`ip host 10.9.9.9 or ${hosts.slice(5).join(' or ')}`, TCP_SYN)).toBe(false);
  });

  test.each(['(', 'not ', 'ip[', '-', '1 % '])('ten thousand times `%s` is an error, not the end of the stack', (word) => {
    expect(errorOf(`${word.repeat(10_000)}ip`).reason).toMatch(/nested deeper/);
  });

  test('too deep an expression is an error, not a crash of the machine', () => {
    expect(errorOf(`${'1 + ('.repeat(20)}1${')'.repeat(20)} = 1`).reason).toMatch(/too deep/);
  });
});

test('a program reads as tcpdump prints it', () => {
  expect(bpfImage(compileFilter('arp or len > 60').program)).toEqual([
    '(000) ldh      [12]', '(001) jeq      #0x806           jt 9\tjf 2', '(002) ld       #pktlen', '(003) st       M[0]', '(004) ld       #0x3c', '(005) st       M[1]',
    '(006) ldx      M[1]', '(007) ld       M[0]', '(008) jgt      x                jt 9\tjf 10', '(009) ret      #262144', '(010) ret      #0',
  ]);
});
