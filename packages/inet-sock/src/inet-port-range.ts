/*
 * Which local ports connect(2) and bind(2) choose from: net.ipv4.ip_local_port_range, minus
 * net.ipv4.ip_local_reserved_ports, narrowed by a sock's IP_LOCAL_PORT_RANGE.
 */
import { netAtExit, registerSysctlTable, unregisterSysctlTable } from '@stack/kernel';
import type { CtlTable, Net } from '@stack/kernel';
import type { InetSock } from './inet-sock.ts';

/** What inet-sock keeps per Net (net.inetSock). */
export class NetnsInetSock {
  /** Lowest and highest port, both inclusive. */
  sysctlIpLocalPortRange: Int32Array;
  /** Ports never chosen, as "8080,9000-9010". */
  sysctlIpLocalReservedPorts: string;
  /** The string reservedBits was made of, and one bit a port; null for none. */
  reservedText: string;
  reservedBits: Uint8Array | null;

  constructor() {
    this.sysctlIpLocalPortRange = Int32Array.of(32768, 60999);
    this.sysctlIpLocalReservedPorts = '';
    this.reservedText = '';
    this.reservedBits = null;
  }
}

declare module '@stack/kernel' {
  interface NetLinks {
    inetSock: NetnsInetSock;
  }
}

/** Gives a Net its port range and sysctls. Each engine calls it when it is installed; the first call counts. */
export function installInetSock(net: Net): void {
  if (net.inetSock !== null) return;
  const inetSock = new NetnsInetSock();
  net.inetSock = inetSock;
  const rows: CtlTable[] = [
    { procname: 'net.ipv4.ip_local_port_range', data: inetSock, field: 'sysctlIpLocalPortRange', kind: 'intvec', min: 1, max: 65535, default: [32768, 60999] },
    { procname: 'net.ipv4.ip_local_reserved_ports', data: inetSock, field: 'sysctlIpLocalReservedPorts', kind: 'string', default: '' },
  ];
  registerSysctlTable(net, rows);
  netAtExit(net, () => unregisterSysctlTable(net, rows));
}

/** The range sk's local port is chosen from: low | high << 16. */
export function inetSkGetLocalPortRange(sk: InetSock): number {
  const range = sk.skNet.inetSock.sysctlIpLocalPortRange;
  let low = range[0] ?? 0;
  let high = range[1] ?? 0;
  const own = sk.localPortRange;
  if (own !== 0) {
    const ownLow = own & 0xffff;
    const ownHigh = own >>> 16;
    if (ownLow !== 0 && ownLow >= low && ownLow <= high) low = ownLow;
    if (ownHigh !== 0 && ownHigh <= high && ownHigh >= low) high = ownHigh;
  }
  return low | (high << 16);
}

/** One bit a port for a list like "8080,9000-9010"; null for an empty one. Parts that are none are passed over. */
function parseReservedPorts(text: string): Uint8Array | null {
  let bits: Uint8Array | null = null;
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    const last = Math.min(match[2] === undefined ? first : Number(match[2]), 65535);
    bits ??= new Uint8Array(8192);
    for (let port = first; port <= last; port++) bits[port >> 3] = (bits[port >> 3] ?? 0) | (1 << (port & 7));
  }
  return bits;
}

/** Whether a port is never chosen (binding to it by number stays allowed). */
export function inetIsLocalReservedPort(net: Net, port: number): boolean {
  const inetSock = net.inetSock;
  if (inetSock.reservedText !== inetSock.sysctlIpLocalReservedPorts) {
    inetSock.reservedText = inetSock.sysctlIpLocalReservedPorts;
    inetSock.reservedBits = parseReservedPorts(inetSock.reservedText);
  }
  return inetSock.reservedBits !== null && ((inetSock.reservedBits[port >> 3] ?? 0) & (1 << (port & 7))) !== 0;
}
