/*
 * Ping sockets by identifier (struct ping_table, net/ipv4/ping.c): what is a port to others is the identifier of echo requests to
 * them. pingGetPort binds a sock to one and puts it into its chain, pingUnhash takes it out.
 */
import { INADDR_ANY } from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { ICMP_HDR_LEN } from '@stack/ip';
import { SK_NO_REUSE, sockHold, sockPut } from '@stack/socket';
import type { Sock } from '@stack/socket';

/** Chains of the table, a power of two. */
const PING_HTABLE_SIZE = 64;

/** Identifiers that there are. */
const PING_IDENTS = 0x10000;

/** The ping socks of one Net, linked by skNext and skPrev. */
export class PingTable {
  hash: (InetSock | null)[];
  /** The identifier that was chosen last (ping_port_rover). */
  rover: number;
  /** The ICMP header of the request that is being sent, as the user gave it. */
  header: Uint8Array;
  headerView: DataView;

  constructor() {
    this.hash = new Array<InetSock | null>(PING_HTABLE_SIZE).fill(null);
    this.rover = 0;
    this.header = new Uint8Array(ICMP_HDR_LEN);
    this.headerView = new DataView(this.header.buffer);
  }
}

function pingChain(table: PingTable, ident: number): InetSock | null {
  return table.hash[ident & (PING_HTABLE_SIZE - 1)] ?? null;
}

/** Is the identifier another's, and not shared by SO_REUSEADDR of both? */
function pingIdentTaken(table: PingTable, sk: InetSock, ident: number): boolean {
  for (let other = pingChain(table, ident); other !== null; other = other.skNext as InetSock | null) {
    if (other.inetNum !== ident || other === sk) continue;
    if (sk.skReuse === SK_NO_REUSE || other.skReuse === SK_NO_REUSE) return true;
  }
  return false;
}

/** The next identifier that nobody has, 0 if there is none. */
function pingChooseIdent(table: PingTable): number {
  for (let i = 1; i < PING_IDENTS; i++) {
    const ident = (table.rover + i) & 0xffff;
    let at = pingChain(table, ident);
    while (at !== null && at.inetNum !== ident) at = at.skNext as InetSock | null;
    if (ident !== 0 && at === null) {
      table.rover = ident;
      return ident;
    }
  }
  return 0;
}

/** Proto.getPort: binds to identifier `ident`, or to a free one if that is 0, and hashes the sock. 0, or 1 if it is taken. */
export function pingGetPort(sock: Sock, ident: number): number {
  const sk = sock as InetSock;
  const table = sk.skNet.inet.ping;
  const num = ident === 0 ? pingChooseIdent(table) : ident;
  if (num === 0 || pingIdentTaken(table, sk, num)) return 1;
  const slot = num & (PING_HTABLE_SIZE - 1);
  const head = table.hash[slot] ?? null;
  sk.inetNum = num;
  sk.skPrev = null;
  sk.skNext = head;
  if (head !== null) head.skPrev = sk;
  table.hash[slot] = sk;
  sockHold(sk);
  return 0;
}

/** Proto.unhash. */
export function pingUnhash(sock: Sock): void {
  const sk = sock as InetSock;
  if (sk.inetNum === 0) return;
  const next = sk.skNext as InetSock | null;
  if (sk.skPrev === null) sk.skNet.inet.ping.hash[sk.inetNum & (PING_HTABLE_SIZE - 1)] = next;
  else sk.skPrev.skNext = next;
  if (next !== null) next.skPrev = sk.skPrev;
  sk.skNext = null;
  sk.skPrev = null;
  sk.inetNum = 0;
  sk.inetSport = 0;
  sockPut(sk);
}

/** The sock that a message with this identifier, come to `daddr` by the device `dif`, is for; or null. */
export function pingLookup(table: PingTable, ident: number, daddr: number, dif: number): InetSock | null {
  for (let sk = pingChain(table, ident); sk !== null; sk = sk.skNext as InetSock | null) {
    if (sk.inetNum !== ident) continue;
    if (sk.inetRcvSaddr !== INADDR_ANY && sk.inetRcvSaddr !== daddr) continue;
    if (sk.skBoundDevIf === 0 || sk.skBoundDevIf === dif) return sk;
  }
  return null;
}
