/*
 * ICMPv6 (RFC 4443), neighbour discovery (RFC 4861) and multicast listeners (RFC 3810): what a line without -v says of them.
 */
import { has, say, u16, u32, u8, type Dissection } from './dissect.ts';
import { checksum6, checksumShouldBe } from './checksum.ts';
import { hex, ip6 } from './text.ts';
import type { NetworkHeader } from './network.ts';

const HEADER = 8;

const unreachables: readonly string[] = [
  'unreachable route %s', 'unreachable prohibited %s', 'beyond scope %s', 'unreachable address %s',
];

function unreachableText(nd: Dissection, offset: number, code: number): string {
  const quoted = offset + HEADER;
  const destination = ip6(nd, quoted + 24);
  if (code === 4) {
    const protocol = u8(nd, quoted + 6);
    const port = u16(nd, quoted + 42);
    const name = protocol === 6 ? 'tcp' : 'udp';
    return `destination unreachable, unreachable port, ${destination} ${name} port ${port}`;
  }
  return `destination unreachable, ${(unreachables[code] ?? `unknown unreach code (${code})`).replace('%s', destination)}`;
}

function timeExceededText(nd: Dissection, offset: number, code: number): string {
  return `time exceeded in-transit ${code === 1 ? '(reassembly)' : `for ${ip6(nd, offset + HEADER + 24)}`}`;
}

function messageText(nd: Dissection, offset: number): string {
  const type = u8(nd, offset);
  const code = u8(nd, offset + 1);
  switch (type) {
    case 1: return unreachableText(nd, offset, code);
    case 2: return `packet too big, mtu ${u32(nd, offset + 4)}`;
    case 3: return timeExceededText(nd, offset, code);
    case 128: case 129: return `echo ${type === 128 ? 'request' : 'reply'}, id ${u16(nd, offset + 4)}, seq ${u16(nd, offset + 6)}`;
    case 133: return 'router solicitation';
    case 134: return 'router advertisement';
    case 135: return `neighbor solicitation, who has ${ip6(nd, offset + HEADER)}`;
    case 136: return `neighbor advertisement, tgt is ${ip6(nd, offset + HEADER)}`;
    case 143: return `multicast listener report v2, ${u16(nd, offset + 6)} group record(s)`;
    default: return `type-#${type}`;
  }
}

export function icmp6Print(nd: Dissection, offset: number, length: number, network: NetworkHeader): void {
  nd.protocol = 'icmp6';
  if (length === 0) {
    say(nd, 'ICMP6, length 0 (invalid)');
    return;
  }
  if (nd.options.verbose > 0 && !nd.fragmented && has(nd, offset, length)) {
    const sum = checksum6(nd, network.offset, 58, offset, length);
    const found = u16(nd, offset + 2);
    say(nd, sum === 0 ? '[icmp6 sum ok] ' : `[bad icmp6 cksum 0x${hex(found, 4)} -> 0x${hex(checksumShouldBe(found, sum), 4)}!] `);
  }
  say(nd, 'ICMP6, ');
  say(nd, `${messageText(nd, offset)}, length ${length}`);
}
