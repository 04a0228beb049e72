/*
 * The contract of InetConnectionSockAfOps: what the tables expect of every carrier's table, run on each of ours, and by
 * users on theirs:
 *   for (const rule of afOpsContract) test(rule.name, () => rule.run(make));
 * `make` gives the table and socks of it; nothing is sent. A rule that is broken throws.
 */
import type { InetConnectionSock, InetConnectionSockAfOps } from './inet-connection-sock.ts';

/** A carrier, and a host to try it on. */
export interface AfOpsRig {
  readonly af: InetConnectionSockAfOps;
  /**
   * A fresh sock of this carrier, in no table: its local and remote end are numbered, the same numbers always the same
   * addresses, 0 the wildcard.
   */
  readonly sock: (local: number, localPort: number, remote: number, remotePort: number) => InetConnectionSock;
}

/** One rule. */
export interface AfOpsRule {
  readonly name: string;
  readonly run: (make: () => AfOpsRig) => void;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** The rules. */
export const afOpsContract: readonly AfOpsRule[] = [
  {
    name: 'match: a four-tuple matches itself, whichever way it is asked, and no other',
    run(make) {
      const { af, sock } = make();
      const one = sock(1, 10, 2, 20);
      check(af.match(one, sock(1, 10, 2, 20)), 'the same four-tuple does not match');
      for (const other of [sock(3, 10, 2, 20), sock(1, 11, 2, 20), sock(1, 10, 3, 20), sock(1, 10, 2, 21), sock(2, 20, 1, 10)]) {
        check(!af.match(one, other) && !af.match(other, one), 'another four-tuple matches');
      }
    },
  },
  {
    name: 'ehashfn: what matches has the same hash, and the local port is added to the hash of the rest',
    run(make) {
      const { af, sock } = make();
      const hash = af.ehashfn(sock(1, 10, 2, 20));
      check(hash === (hash | 0), 'the hash is no int32');
      check(hash === af.ehashfn(sock(1, 10, 2, 20)), 'the hash of the same four-tuple differs');
      check(((af.ehashfn(sock(1, 17, 2, 20)) - hash) | 0) === 7, 'the local port is not added');
      check(af.ehashfn(sock(1, 10, 3, 20)) !== hash && af.ehashfn(sock(1, 10, 2, 21)) !== hash, 'the hash ignores the remote end');
    },
  },
  {
    name: 'copyKey: the copy has the four-tuple and matches',
    run(make) {
      const { af, sock } = make();
      const from = sock(1, 10, 2, 20);
      from.skHash = af.ehashfn(from);
      const to = sock(7, 70, 8, 80);
      af.copyKey(from, to);
      check(af.match(from, to) && to.skHash === from.skHash && to.inetNum === 10 && to.inetDport === 20, 'the copy does not match');
    },
  },
  {
    name: 'rcvSaddrConflict: equal addresses are in each other\'s way, and the wildcard is in everybody\'s',
    run(make) {
      const { af, sock } = make();
      const conflict = (a: number, b: number): boolean => af.rcvSaddrConflict(sock(a, 10, 0, 0), sock(b, 10, 0, 0));
      check(conflict(1, 1) && conflict(0, 1) && conflict(1, 0) && conflict(0, 0), 'no conflict where there is one');
      check(!conflict(1, 2), 'a conflict of different addresses');
    },
  },
  {
    name: 'resetSaddr: the local address is the wildcard again',
    run(make) {
      const { af, sock } = make();
      const sk = sock(1, 10, 2, 20);
      af.resetSaddr(sk);
      check(af.rcvSaddrConflict(sk, sock(5, 10, 0, 0)), 'the address is still there');
    },
  },
  {
    name: 'RFC 6056 §3.3.4: portOffset depends on the destination, not on the local port',
    run(make) {
      const { af, sock } = make();
      const offset = af.portOffset(sock(1, 0, 2, 20));
      check(offset === af.portOffset(sock(1, 99, 2, 20)), 'it depends on the local port');
      check(offset !== af.portOffset(sock(1, 0, 3, 20)) && offset !== af.portOffset(sock(1, 0, 2, 21)), 'it ignores the destination');
    },
  },
  {
    name: 'RFC 6528 §3: initSequence differs from four-tuple to four-tuple, and is an int32',
    run(make) {
      const { af, sock } = make();
      const first = af.initSequence(sock(1, 10, 2, 20));
      check(first === (first | 0), 'it is no int32');
      check(first !== af.initSequence(sock(1, 10, 2, 21)) && first !== af.initSequence(sock(1, 11, 2, 20)), 'it does not depend on the four-tuple');
    },
  },
  {
    name: 'hashinfo: one set of tables for a host; metricsKey: one number for a peer',
    run(make) {
      const { af, sock } = make();
      const one = sock(1, 10, 2, 20);
      check(af.hashinfo(one.skNet) === af.hashinfo(one.skNet), 'the tables change');
      check(af.metricsKey(one) === af.metricsKey(sock(1, 11, 2, 21)), 'the key depends on ports');
      check(af.metricsKey(one) !== af.metricsKey(sock(1, 10, 3, 20)), 'two peers have one key');
    },
  },
];
