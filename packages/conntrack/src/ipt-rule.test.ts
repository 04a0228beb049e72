import { describe, expect, it } from 'vitest';
import { iptParseRule } from './ipt-rule.ts';
import type { IptRule } from './ipt-rule.ts';

const rule = (more: object): IptRule => ({ chain: 'forward', verdict: 'accept', ...more }) as IptRule;

describe('a rule that is right', () => {
  it('matches everything that it does not name', () => {
    expect(iptParseRule(rule({}))).toMatchObject({ srcMask: 0, dstMask: 0, iif: null, oif: null, protocol: -1, ports: false, icmpType: -1, ctState: 0, markMask: 0 });
  });

  it.each([
    [{ src: '10.1.2.3/8' }, { src: 0x0a000000, srcMask: 0xff000000 | 0, srcNot: false }],
    [{ dst: '!192.0.2.1' }, { dst: 0xc0000201 | 0, dstMask: -1, dstNot: true }],
    [{ src: '0.0.0.0/0' }, { src: 0, srcMask: 0 }],
    [{ iif: 'eth+' }, { iif: 'eth', iifPrefix: true }],
    [{ oif: '!lan0' }, { oif: 'lan0', oifPrefix: false, oifNot: true }],
    [{ protocol: 47 }, { protocol: 47 }],
    [{ protocol: 'tcp', sport: '1024-65535', dport: 80 }, { sportMin: 1024, sportMax: 65535, dportMin: 80, dportMax: 80, ports: true }],
    [{ protocol: 'icmp', icmpType: '3/4' }, { icmpType: 3, icmpCode: 4 }],
    [{ ctState: ['new', 'related'] }, { ctState: 8 | 4 }],
    [{ mark: '0x10/0xf0' }, { mark: 0x10, markMask: 0xf0 }],
    [{ verdict: 'mark', setMark: 7 }, { setMark: 7, setMarkMask: -1 }],
    [{ verdict: 'reject' }, { rejectCode: 3 }],
    [{ verdict: 'snat', to: '192.0.2.1-192.0.2.9' }, { range: { flags: 1, minAddr: 0xc0000201 | 0, maxAddr: 0xc0000209 | 0 } }],
    [{ verdict: 'dnat', protocol: 'tcp', to: '10.0.0.2:8080' }, { range: { flags: 3, minAddr: 0x0a000002, minProto: 8080, maxProto: 8080 } }],
    [{ verdict: 'masquerade', protocol: 'udp', to: '1024-2047' }, { range: { flags: 2, minProto: 1024, maxProto: 2047 } }],
  ])('%j', (more, parsed) => {
    expect(iptParseRule(rule(more))).toMatchObject(parsed);
  });

  it('is kept as it was written, whatever its writer does with it afterwards', () => {
    const mine = { ...rule({ src: '10.0.0.0/8' }) } as { src: string } & IptRule;
    const entry = iptParseRule(mine);
    (mine as { src: string }).src = 'x';
    expect(entry.rule).toEqual(rule({ src: '10.0.0.0/8' }));
  });
});

describe('a rule that is wrong says what, and what it may be', () => {
  it.each([
    [{ src: '10.0.0.256' }, /src is "10\.0\.0\.256".*prefix/],
    [{ src: '10.0.0.0/33' }, /src/],
    [{ dst: '10.0.0.0/8/8' }, /dst/],
    [{ iif: '' }, /iif is ""/],
    [{ protocol: 'sctp' }, /protocol is "sctp".*tcp, udp, icmp/],
    [{ protocol: 256 }, /protocol is 256/],
    [{ dport: 80 }, /dport is 80: it must be with protocol tcp or udp/],
    [{ protocol: 'tcp', dport: 65536 }, /dport is 65536/],
    [{ protocol: 'tcp', dport: '90-80' }, /dport is "90-80"/],
    [{ protocol: 'udp', icmpType: 8 }, /icmpType is 8: it must be with protocol icmp/],
    [{ protocol: 'icmp', icmpType: 'echo' }, /icmpType is "echo"/],
    [{ ctState: ['old'] }, /ctState is "old".*new, established/],
    [{ mark: 'red' }, /mark is "red"/],
    [{ verdict: 'allow' }, /verdict is "allow".*accept, drop, reject/],
    [{ verdict: 'jump' }, /to is undefined: it must be the name of a chain/],
    [{ verdict: 'snat' }, /to is undefined/],
    [{ verdict: 'snat', to: '192.0.2.9-192.0.2.1' }, /to is/],
    [{ verdict: 'dnat', to: '10.0.0.2:80' }, /with protocol tcp, udp or icmp/],
    [{ verdict: 'accept', to: 'x' }, /to is "x": it must be with verdict jump/],
    [{ verdict: 'mark' }, /setMark is undefined/],
    [{ setMark: 1 }, /setMark is 1: it must be with verdict mark/],
    [{ verdict: 'reject', rejectWith: 'tcp-reset' }, /with protocol tcp/],
    [{ verdict: 'reject', rejectWith: 'rudely' }, /rejectWith is "rudely"/],
    [{ sourcePort: 80 }, /no field "sourcePort": there are table, chain, src/],
  ])('%j', (more, message) => {
    expect(() => iptParseRule(rule(more))).toThrow(message);
  });
});
