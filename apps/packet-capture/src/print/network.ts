/*
 * What a transport's printer is told of the network layer, and the table by which the network layer finds it.
 */
import type { Dissection } from './dissect.ts';

export interface NetworkHeader {
  readonly version: 4 | 6;
  /** Where the header lies. */
  readonly offset: number;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  /** The address that IPv4's pseudo-header has. */
  readonly checksumDestination: number;
}

export type TransportPrinter = (nd: Dissection, offset: number, length: number, network: NetworkHeader) => void;

/** Printers by the number of their protocol. */
export type TransportTable = readonly (TransportPrinter | undefined)[];

/** `source.port > destination.port: `; behind extension headers of IPv6 the addresses have been said. */
export function portsText(network: NetworkHeader, protocol: number, [from, to]: readonly [number, number]): string {
  if (network.protocol !== protocol) return `${from} > ${to}: `;
  return `${network.source}.${from} > ${network.destination}.${to}: `;
}
