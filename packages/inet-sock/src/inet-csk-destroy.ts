/*
 * The end of a connection-oriented sock that has no user any more, and its counting as an orphan.
 */
import { SOCK_DEAD, TCP_CLOSE, skStreamKillQueues, sockFlag, sockPut } from '@stack/socket';
import type { InetConnectionSock } from './inet-connection-sock.ts';

/**
 * Destroys an orphan in TCP_CLOSE: the engine's destroy, what is left in the queues, then the reference that the
 * user had. Throws when the sock is not ready for it (a broken invariant).
 */
export function inetCskDestroySock(sk: InetConnectionSock): void {
  if (sk.skState !== TCP_CLOSE) throw new Error(`inet_csk_destroy_sock: state ${sk.skState}`);
  if (!sockFlag(sk, SOCK_DEAD)) throw new Error('inet_csk_destroy_sock: the sock has a user');
  if (sk.inetNum !== 0 && sk.icskBindHash === null) throw new Error('inet_csk_destroy_sock: a port without a bucket');
  const hashinfo = sk.afSpecific.hashinfo(sk.skNet);
  if (sk.skProt.destroy !== null) sk.skProt.destroy(sk);
  skStreamKillQueues(sk);
  hashinfo.orphanCount--;
  sockPut(sk);
}

/**
 * Makes a child that failed before it was whole ready for its end, which inetCskDestroySock is. The child was never
 * put into a table.
 */
export function inetCskPrepareForcedClose(sk: InetConnectionSock): void {
  sk.skFlags |= 1 << SOCK_DEAD;
  sk.afSpecific.hashinfo(sk.skNet).orphanCount++;
  sk.inetNum = 0;
}
