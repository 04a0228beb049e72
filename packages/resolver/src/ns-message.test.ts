// The codec: what is written is read again, and nothing that is wrong is read, runs past its end, or goes in a circle.
import { Random, randomBelow } from '@stack/kernel';
import { describe, expect, test } from 'vitest';
import {
  DnsMessage, DnsQuestion, DnsRecord, Edns, MxData, NS_AA, NS_QR, NS_TC, SoaData, SrvData, T_A, T_AAAA, T_CNAME, T_HINFO, T_MX, T_NS,
  T_PTR, T_SOA, T_SRV, T_TXT,
} from './nameser.ts';
import { nsBuild } from './ns-build.ts';
import { nsCanonical, nsNameLabels, nsNameText, nsReverseName, nsSameName } from './ns-name.ts';
import { nsParse } from './ns-parse.ts';

function sample(): DnsMessage {
  const msg = new DnsMessage(0xbeef, NS_QR | NS_AA);
  msg.question.push(new DnsQuestion('www.Example.test', T_A));
  msg.answer.push(
    new DnsRecord('www.Example.test', T_CNAME, 300, 'server.Example.test'),
    new DnsRecord('server.Example.test', T_A, 60, 0x0a000001),
    new DnsRecord('server.Example.test', T_AAAA, 60, new Uint8Array(16).fill(7)),
    new DnsRecord('server.Example.test', T_TXT, 60, ['one', '', 'x'.repeat(255)]),
    new DnsRecord('server.Example.test', T_HINFO, 60, ['RFC8482', '']),
    new DnsRecord('Example.test', T_MX, 60, new MxData(10, 'mail.Example.test')),
    new DnsRecord('_sip._tcp.Example.test', T_SRV, 60, new SrvData(1, 2, 5060, 'server.Example.test')),
    new DnsRecord('1.0.0.10.in-addr.arpa', T_PTR, 60, 'server.Example.test'),
  );
  msg.authority.push(
    new DnsRecord('Example.test', T_NS, 60, 'ns.Example.test'),
    new DnsRecord('Example.test', T_SOA, 60, new SoaData('ns.Example.test', 'root.Example.test', 0xfffffffe, 1, 2, 3, 4)),
  );
  msg.additional.push(new DnsRecord('ns.Example.test', T_A, 60, 0xc0000201 | 0));
  msg.edns = new Edns(1232, 0, 1);
  return msg;
}

/** Octets of a message with this header's counts and body. */
function raw(counts: readonly number[], body: readonly number[]): Uint8Array {
  return Uint8Array.from([0x12, 0x34, 0x80, 0, ...counts.flatMap((count) => [count >> 8, count & 255]), ...body]);
}

describe('RFC 1035 §4: messages', () => {
  test('every section and type is read as it was written', () => {
    expect(nsParse(nsBuild(sample()))).toEqual(sample());
  });

  test('§4.1.4: a name that was written before becomes a pointer; SRV data does not (RFC 2782)', () => {
    const bytes = nsBuild(sample());
    const text = String.fromCharCode(...bytes);
    expect(text.split('\x07Example\x04test').length - 1).toBe(2);
  });

  test('§4.1.4: pointers to themselves, forward, and to one another are refused', () => {
    const question = [0, T_A, 0, 1];
    expect(nsParse(raw([1, 0, 0, 0], [0xc0, 12, ...question]))).toBeNull();
    expect(nsParse(raw([1, 0, 0, 0], [0xc0, 18, ...question, 0]))).toBeNull();
    expect(nsParse(raw([2, 0, 0, 0], [1, 97, 0xc0, 12, ...question, 0xc0, 14, ...question]))).toBeNull();
    expect(nsParse(raw([1, 0, 0, 0], [1, 97, 0xc0, 12, ...question]))).toBeNull();
  });

  test('§2.3.4: a name longer than 255 octets and a label with reserved bits are refused', () => {
    const label = [63, ...new Array<number>(63).fill(97)];
    const question = [0, T_A, 0, 1];
    expect(nsParse(raw([1, 0, 0, 0], [...label, ...label, ...label, 0, ...question]))?.question[0]?.qname.length).toBe(191);
    expect(nsParse(raw([1, 0, 0, 0], [...label, ...label, ...label, ...label, 0, ...question]))).toBeNull();
    expect(nsParse(raw([1, 0, 0, 0], [0x41, 97, 0, ...question]))).toBeNull();
  });

  test('a record whose data end elsewhere than it says is refused', () => {
    const record = (length: number, data: number[]): Uint8Array => raw([0, 1, 0, 0], [0, 0, T_A, 0, 1, 0, 0, 0, 9, 0, length, ...data]);
    expect(nsParse(record(4, [10, 0, 0, 1]))?.answer[0]?.data).toBe(0x0a000001);
    expect(nsParse(record(3, [10, 0, 0]))).toBeNull();
    expect(nsParse(record(5, [10, 0, 0, 1, 2]))).toBeNull();
    expect(nsParse(record(4, [10, 0, 0]))).toBeNull();
  });

  test('RFC 2181 §8: a TTL beyond 31 bits is 0', () => {
    const bytes = raw([0, 1, 0, 0], [0, 0, T_A, 0, 1, 0x80, 0, 0, 9, 0, 4, 10, 0, 0, 1]);
    expect(nsParse(bytes)?.answer[0]?.ttl).toBe(0);
  });

  test('RFC 6891 §6.1.1: two OPT records, or one with a name, are refused', () => {
    const opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0];
    expect(nsParse(raw([0, 0, 0, 1], opt))?.edns).toEqual(new Edns(1232, 0, 1));
    expect(nsParse(raw([0, 0, 0, 2], [...opt, ...opt]))).toBeNull();
    expect(nsParse(raw([0, 0, 0, 1], [1, 97, ...opt]))).toBeNull();
  });

  test('every truncation is refused, and no single octet changed makes it throw', () => {
    const bytes = nsBuild(sample());
    for (let length = 0; length < bytes.length; length++) expect(nsParse(bytes.subarray(0, length))).toBeNull();
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 0x3f, 0x40, 0xc0, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        expect(() => nsParse(changed)).not.toThrow();
      }
    }
  });

  test('what is read from noise can be written again', () => {
    const seed = 20260;
    const random = new Random(seed);
    const bytes = nsBuild(sample());
    for (let round = 0; round < 3000; round++) {
      const noise = bytes.slice();
      for (let i = randomBelow(random, 6); i >= 0; i--) noise[randomBelow(random, noise.length)] = randomBelow(random, 256);
      const msg = nsParse(noise);
      if (msg === null) continue;
      expect(() => nsBuild(msg), `seed ${seed}, round ${round}`).not.toThrow();
    }
  });

  test('RFC 2181 §9: what does not fit sets TC; additional records go without a word', () => {
    const whole = nsBuild(sample());
    const cut = nsParse(nsBuild(sample(), 200));
    expect(cut?.flags).toBe(NS_QR | NS_AA | NS_TC);
    expect(cut?.answer.map((record) => record.type)).toEqual([T_CNAME, T_A, T_AAAA]);
    expect(cut?.edns).toEqual(sample().edns);
    const almost = nsParse(nsBuild(sample(), whole.length - 1));
    expect(almost?.flags).toBe(NS_QR | NS_AA);
    expect(almost?.authority.length).toBe(2);
    expect(almost?.additional).toEqual([]);
  });
});

describe('names', () => {
  test('RFC 1035 §5.1: escapes, and what is no name', () => {
    expect(nsNameLabels('a\\.b.c')).toEqual(['a.b', 'c']);
    expect(nsNameLabels('\\065.')).toEqual(['A']);
    expect(nsNameText(['a.b', '\\', ' \xff'])).toBe('a\\.b.\\\\.\\032\\255');
    expect(nsNameLabels('.')).toEqual([]);
    for (const wrong of ['a..b', '..', '.a', 'x'.repeat(64), 'a\\', '\\25', '\\256', 'ü\u0151.test', 'ab.'.repeat(86)]) {
      expect(nsNameLabels(wrong), wrong).toBeNull();
    }
  });

  test('RFC 4343: letters compare without case', () => {
    expect(nsSameName('WWW.Example.test', 'www.eXample.TEST')).toBe(true);
    expect(nsCanonical('WWW.Example.test.')).toBe('www.example.test');
    expect(nsSameName('a.test', 'b.test')).toBe(false);
  });

  test('RFC 1035 §3.5: addresses as names', () => {
    expect(nsReverseName(0xc0000201 | 0)).toBe('1.2.0.192.in-addr.arpa');
  });
});
