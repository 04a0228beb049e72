/*
 * The child of a listener: a full sock for a request whose handshake is complete, with the listener's options and the
 * request's addresses. What its engine keeps, the engine fills in.
 */
import { TCP_SYN_RECV, skCloneLock } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';
import type { InetSock } from './inet-sock.ts';
import type { RequestSock } from './request-sock.ts';

/** The options that setsockopt gave a sock below its engine. */
function inetInheritOptions(sk: InetSock, child: InetSock): void {
  child.tos = sk.tos;
  child.minTtl = sk.minTtl;
  child.ucTtl = sk.ucTtl;
  child.pmtudisc = sk.pmtudisc;
  child.inetFlags = sk.inetFlags;
  child.cmsgFlags = sk.cmsgFlags;
  child.ucIndex = sk.ucIndex;
  child.mcTtl = sk.mcTtl;
  child.mcIndex = sk.mcIndex;
  child.mcAddr = sk.mcAddr;
  child.localPortRange = sk.localPortRange;
}

/** A new sock in TCP_SYN_RECV for req, in no table, with two references (its maker's, its future user's). */
export function inetCskCloneLock(sk: InetConnectionSock, req: RequestSock): InetConnectionSock {
  const child = skCloneLock(sk) as InetConnectionSock;
  child.skState = TCP_SYN_RECV;
  child.afSpecific = sk.afSpecific;
  inetInheritOptions(sk, child);
  sk.afSpecific.copyKey(req, child);
  child.inetSport = req.inetNum;
  child.skMark = req.irMark;
  child.icskCaOps = sk.icskCaOps;
  return child;
}
