/*
 * ICMP (RFC 792, RFC 950, RFC 1256).
 */
import { has, say, u16, u32, u8, within, type Dissection } from './dissect.ts';
import { checksum, checksumShouldBe } from './checksum.ts';
import { ipPrint } from './ip.ts';
import { hex, ip4 } from './text.ts';
import type { NetworkHeader, TransportTable } from './network.ts';

const HEADER = 8;

/** `%s`: the destination of the datagram that the error is about. */
const unreachables: readonly string[] = [
  'net %s unreachable', 'host %s unreachable', '', '', '', '%s unreachable - source route failed', 'net %s unreachable - unknown',
  'host %s unreachable - unknown', '%s unreachable - source host isolated', 'net %s unreachable - admin prohibited',
  'host %s unreachable - admin prohibited', 'net %s unreachable - tos prohibited', 'host %s unreachable - tos prohibited',
  'host %s unreachable - admin prohibited filter', 'host %s unreachable - host precedence violation',
  'host %s unreachable - precedence cutoff',
];

const redirects: readonly (readonly [string, string])[] = [
  ['redirect', 'to net'], ['redirect', 'to host'], ['redirect-tos', 'to net'], ['redirect-tos', 'to host'],
];

const transportNames: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' };

function unreachableText(nd: Dissection, offset: number, code: number): string {
  const quoted = offset + HEADER;
  const destination = ip4(nd, quoted + 16);
  if (code === 2) return `${destination} protocol ${u8(nd, quoted + 9)} unreachable`;
  if (code === 3) {
    const protocol = u8(nd, quoted + 9);
    const transport = quoted + (u8(nd, quoted) & 0xf) * 4;
    const port = u16(nd, transport + 2);
    const name = transportNames[protocol];
    return name === undefined ? `${destination} protocol ${protocol} port ${port} unreachable` : `${destination} ${name} port ${port} unreachable`;
  }
  if (code === 4) {
    const mtu = u16(nd, offset + 6);
    return `${destination} unreachable - need to frag${mtu === 0 ? '' : ` (mtu ${mtu})`}`;
  }
  return (unreachables[code] ?? `%s unreachable - #${code}`).replace('%s', destination);
}

function redirectText(nd: Dissection, offset: number, code: number): string {
  const [what, to] = redirects[code] ?? [`redirect-#${code}`, 'to'];
  return `${what} ${ip4(nd, offset + HEADER + 16)} ${to} ${ip4(nd, offset + 4)}`;
}

function lifetime(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return String(seconds);
  const minutes = Math.floor(seconds / 60) % 60;
  if (seconds < 3600) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two(minutes)}:${two(seconds % 60)}`;
}

function routerAdvertisementText(nd: Dissection, offset: number): string {
  const count = u8(nd, offset + 4);
  const size = u8(nd, offset + 5);
  let text = `router advertisement lifetime ${lifetime(u16(nd, offset + 6))} ${count}:`;
  if (size !== 2) return `${text} [size ${size}]`;
  for (let i = 0; i < count; i++) text += ` {${ip4(nd, offset + HEADER + 8 * i)} ${u32(nd, offset + HEADER + 8 * i + 4)}}`;
  return text;
}

function timeOfDay(milliseconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Math.floor(milliseconds / 1000);
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${String(milliseconds % 1000).padStart(3, '0')}`;
}

function timestampReplyText(nd: Dissection, offset: number): string {
  const at = (field: number): string => timeOfDay(u32(nd, offset + field));
  return `time stamp reply id ${u16(nd, offset + 4)} seq ${u16(nd, offset + 6)}: org ${at(8)}, recv ${at(12)}, xmit ${at(16)}`;
}

function parameterProblemText(nd: Dissection, offset: number, code: number): string {
  return `parameter problem - ${code === 0 ? `octet ${u8(nd, offset + 4)}` : `code ${code}`}`;
}

function timeExceededText(code: number): string {
  if (code === 0) return 'time exceeded in-transit';
  return code === 1 ? 'ip reassembly time exceeded' : `time exceeded-#${code}`;
}

function messageText(nd: Dissection, offset: number): string {
  const type = u8(nd, offset);
  const code = u8(nd, offset + 1);
  switch (type) {
    case 0: case 8: return `echo ${type === 8 ? 'request' : 'reply'}, id ${u16(nd, offset + 4)}, seq ${u16(nd, offset + 6)}`;
    case 3: return unreachableText(nd, offset, code);
    case 4: return 'source quench';
    case 5: return redirectText(nd, offset, code);
    case 9: return routerAdvertisementText(nd, offset);
    case 10: return 'router solicitation';
    case 11: return timeExceededText(code);
    case 12: return parameterProblemText(nd, offset, code);
    case 13: return `time stamp query id ${u16(nd, offset + 4)} seq ${u16(nd, offset + 6)}`;
    case 14: return timestampReplyText(nd, offset);
    case 15: return 'information request';
    case 16: return 'information reply';
    case 17: return 'address mask request';
    case 18: return `address mask is 0x${hex(u32(nd, offset + 8), 8)}`;
    default: return `type-#${type}`;
  }
}

/** Whether a message quotes the datagram that caused it. */
function isError(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

/** Makes the printer of ICMP; the datagram that an error quotes is printed, under -v, by way of `table`. */
export function icmpPrint(nd: Dissection, offset: number, length: number, _ip: NetworkHeader, table: TransportTable): void {
  nd.protocol = 'icmp';
  const text = messageText(nd, offset);
  say(nd, `ICMP ${text}, length ${length}`);
  if (nd.options.verbose === 0) return;
  if (!nd.fragmented && has(nd, offset, length)) {
    const sum = checksum(nd, offset, length);
    const found = u16(nd, offset + 2);
    if (sum !== 0) say(nd, ` (wrong icmp cksum ${found.toString(16)} (->${checksumShouldBe(found, sum).toString(16)})!)`);
  }
  if (!isError(u8(nd, offset))) return;
  say(nd, '\n\t');
  const quoted = offset + HEADER;
  const fragmented = nd.fragmented;
  within(nd, quoted + Math.max(0, length - HEADER), () => ipPrint(nd, quoted, u16(nd, quoted + 2), table));
  nd.fragmented = fragmented;
}
