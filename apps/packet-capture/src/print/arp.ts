/*
 * ARP and RARP (RFC 826, RFC 903, RFC 2390).
 */
import { available, need, say, u16, u8, type Dissection } from './dissect.ts';
import { defaultPrint } from './hexdump.ts';
import { etherTypes } from './names.ts';
import { ip4, linkAddress, nameOf } from './text.ts';

const hardwareTypes: Readonly<Record<number, string>> = {
  1: 'Ethernet', 6: 'TokenRing', 7: 'ArcNet', 15: 'FrameRelay', 23: 'Strip', 24: 'IEEE 1394', 32: 'Infiniband',
};

const operations: Readonly<Record<number, string>> = {
  1: 'Request', 2: 'Reply', 3: 'Reverse Request', 4: 'Reverse Reply', 8: 'Inverse Request', 9: 'Inverse Reply', 10: 'NACK Reply',
};

const HEADER = 8;
const ETH_P_IP = 0x0800;
const ETH_P_TRAIL = 0x1000;

/** Where the four addresses lie, and what they are. */
interface Addresses {
  readonly protocol: number;
  readonly hardwareLength: number;
  readonly protocolLength: number;
  readonly senderHardware: number;
  readonly senderProtocol: number;
  readonly targetHardware: number;
  readonly targetProtocol: number;
}

function addressesAt(nd: Dissection, offset: number): Addresses {
  const hardwareLength = u8(nd, offset + 4);
  const protocolLength = u8(nd, offset + 5);
  const senderHardware = offset + HEADER;
  const senderProtocol = senderHardware + hardwareLength;
  const targetHardware = senderProtocol + protocolLength;
  return {
    protocol: u16(nd, offset + 2), hardwareLength, protocolLength, senderHardware, senderProtocol, targetHardware,
    targetProtocol: targetHardware + hardwareLength,
  };
}

const isIp = (arp: Addresses): boolean => arp.protocol === ETH_P_IP || arp.protocol === ETH_P_TRAIL;

function protocolAddress(nd: Dissection, arp: Addresses, offset: number): string {
  if (!isIp(arp)) return '<wrong proto type>';
  return arp.protocolLength === 4 ? ip4(nd, offset) : '<wrong len>';
}

const hardwareAddress = (nd: Dissection, arp: Addresses, offset: number): string => linkAddress(nd, offset, arp.hardwareLength);

function request(nd: Dissection, arp: Addresses): void {
  const target = arp.targetHardware;
  const known = nd.buf.subarray(target, target + arp.hardwareLength).some((octet) => octet !== 0);
  say(nd, `who-has ${protocolAddress(nd, arp, arp.targetProtocol)}`);
  if (known) say(nd, ` (${hardwareAddress(nd, arp, target)})`);
  say(nd, ` tell ${protocolAddress(nd, arp, arp.senderProtocol)}`);
}

/** Says what follows the operation's name; false for an operation nobody knows. */
function operationText(nd: Dissection, arp: Addresses, operation: number): boolean {
  switch (operation) {
    case 1: request(nd, arp); return true;
    case 2: say(nd, `${protocolAddress(nd, arp, arp.senderProtocol)} is-at ${hardwareAddress(nd, arp, arp.senderHardware)}`); return true;
    case 3: say(nd, `who-is ${hardwareAddress(nd, arp, arp.targetHardware)} tell ${hardwareAddress(nd, arp, arp.senderHardware)}`); return true;
    case 4: say(nd, `${hardwareAddress(nd, arp, arp.targetHardware)} at ${protocolAddress(nd, arp, arp.targetProtocol)}`); return true;
    case 8: say(nd, `who-is ${hardwareAddress(nd, arp, arp.targetHardware)} tell ${hardwareAddress(nd, arp, arp.senderHardware)}`); return true;
    case 9: say(nd, `${hardwareAddress(nd, arp, arp.senderHardware)} at ${protocolAddress(nd, arp, arp.senderProtocol)}`); return true;
    default: return false;
  }
}

export function arpPrint(nd: Dissection, offset: number, length: number): void {
  nd.protocol = 'arp';
  need(nd, offset, HEADER);
  const arp = addressesAt(nd, offset);
  const hardware = u16(nd, offset);
  const operation = u16(nd, offset + 6);
  need(nd, arp.targetProtocol, arp.protocolLength);
  if (!nd.options.link) say(nd, 'ARP, ');
  const verbose = nd.options.verbose > 0;
  const usual = isIp(arp) && arp.protocolLength === 4 && arp.hardwareLength !== 0;
  if (!usual || verbose) {
    say(nd, `${nameOf(hardwareTypes, hardware, 'Unknown Hardware (%d)')} (len ${arp.hardwareLength}), `);
    say(nd, `${nameOf(etherTypes, arp.protocol, 'Unknown Protocol (0x%04x)')} (len ${arp.protocolLength})`);
    say(nd, verbose ? ', ' : `, length ${length}`);
    if (!verbose) return;
  }
  say(nd, `${nameOf(operations, operation, 'Unknown (%d)')} `);
  if (operationText(nd, arp, operation)) say(nd, `, length ${length}`);
  else defaultPrint(nd, offset, available(nd, offset));
}
