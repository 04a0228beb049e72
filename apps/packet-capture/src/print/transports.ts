/*
 * What IP carries, by protocol number. Beyond the four of the house: IP in IP.
 */
import { icmpPrint } from './icmp.ts';
import { igmpPrint } from './igmp.ts';
import { ipPrint } from './ip.ts';
import { ip6Print } from './ip6.ts';
import { icmp6Print } from './icmp6.ts';
import type { TransportPrinter } from './network.ts';
import { tcpPrint } from './tcp.ts';
import { udpPrint } from './udp.ts';

export const transports: readonly (TransportPrinter | undefined)[] = Object.assign(new Array<TransportPrinter | undefined>(256).fill(undefined), {
  1: (nd, offset, length, network) => icmpPrint(nd, offset, length, network, transports),
  2: igmpPrint,
  4: (nd, offset, length) => ipPrint(nd, offset, length, transports),
  6: tcpPrint,
  17: udpPrint,
  41: (nd, offset, length) => ip6Print(nd, offset, length, transports),
  58: icmp6Print,
} satisfies Record<number, TransportPrinter>);
