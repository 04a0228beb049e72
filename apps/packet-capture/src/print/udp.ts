/*
 * UDP (RFC 768). The table `services` names the printers of what is carried, by port.
 */
import { has, say, sayTruncated, u16, type Dissection } from './dissect.ts';
import { bootpPrint } from './bootp.ts';
import { checksum4, checksum6, checksumShouldBe } from './checksum.ts';
import { domainPrint } from './domain.ts';
import { portsText, type NetworkHeader } from './network.ts';
import { hex } from './text.ts';

const HEADER = 8;

type Service = (nd: Dissection, offset: number, length: number) => void;

/** In the order in which the ports are looked up, the source's and the destination's alike. */
const services: readonly (readonly [number, Service])[] = [
  [53, (nd, offset, length) => domainPrint(nd, offset, length, false)],
  [67, bootpPrint],
  [68, bootpPrint],
  [5353, (nd, offset, length) => domainPrint(nd, offset, length, true)],
];

function checksumPrint(nd: Dissection, offset: number, length: number, network: NetworkHeader): void {
  const found = u16(nd, offset + 6);
  if (network.version === 4 && found === 0) {
    say(nd, '[no cksum] ');
    return;
  }
  if (!has(nd, offset, length)) return;
  const sum = network.version === 4
    ? checksum4(nd, network.offset, network.checksumDestination, 17, offset, length)
    : checksum6(nd, network.offset, 17, offset, length);
  if (sum === 0) say(nd, '[udp sum ok] ');
  else say(nd, `[bad udp cksum 0x${hex(found, 4)} -> 0x${hex(checksumShouldBe(found, sum), 4)}!] `);
}

function dataPrint(nd: Dissection, offset: number, length: number, said: number, ports: readonly [number, number]): void {
  if (!nd.options.quiet) {
    const service = services.find(([port]) => ports.includes(port));
    if (service !== undefined) {
      service[1](nd, offset, length);
      return;
    }
  }
  if (said > length && !nd.fragmented) say(nd, `UDP, bad length ${said} > ${length}`);
  else say(nd, `UDP, length ${said}`);
}

export function udpPrint(nd: Dissection, offset: number, length: number, network: NetworkHeader): void {
  nd.protocol = 'udp';
  if (!has(nd, offset, 4)) {
    say(nd, `${network.source} > ${network.destination}: `);
    sayTruncated(nd);
    return;
  }
  const ports: [number, number] = [u16(nd, offset), u16(nd, offset + 2)];
  say(nd, portsText(network, 17, ports));
  if (length < HEADER) {
    say(nd, `truncated-udp ${length}`);
    return;
  }
  if (!has(nd, offset, HEADER)) {
    sayTruncated(nd);
    return;
  }
  const field = u16(nd, offset + 4);
  const whole = field === 0 && length > 65535 ? length : field;
  if (whole < HEADER) {
    say(nd, `truncated-udplength ${whole}`);
    return;
  }
  const carried = Math.min(whole, length);
  if (nd.options.verbose > 1 && !nd.fragmented) checksumPrint(nd, offset, carried, network);
  dataPrint(nd, offset + HEADER, carried - HEADER, whole - HEADER, ports);
}
