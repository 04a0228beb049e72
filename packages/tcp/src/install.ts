/*
 * Gives a Net the TCP engine: its tables, sysctls, counters, congestion controls. A carrier's instance (for IPv4, entry
 * @stack/tcp/ipv4) makes sockets for it.
 *
 * Order of calls: installTcp → the carrier's installTcpv4, when a host is put together.
 * Read first: docs/architecture.md (links that point up).
 */
import { inetCskListenStop, inetHashinfoInit, inetTwskPurge, installInetSock } from '@stack/inet-sock';
import type { SockCommon } from '@stack/inet-sock';
import { ECONNABORTED, netAtExit, registerMib, registerSysctlTable, requireNet, requireNoNet, unregisterMib, unregisterSysctlTable } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { TCP_CLOSE } from '@stack/socket';
import { tcpBbr } from './tcp-bbr.ts';
import { cubictcp } from './tcp-cubic.ts';
import { tcpRegisterCongestionControl, tcpSetDefaultCongestionControl } from './tcp-cong.ts';
import { TCP_MIB_MAXCONN, TCP_MIB_RTOALGORITHM, TCP_MIB_RTOMAX, TCP_MIB_RTOMIN } from './tcp-mib.ts';
import { NetnsTcp } from './netns-tcp.ts';
import { tcpSysctlRows } from './sysctl-net-tcp.ts';
import { TcpSock } from './tcp-sock.ts';
import { tcpTimerOps } from './tcp-timer.ts';
import { tcpTwskOps } from './tcp-timewait.ts';
import { tcpDoneWithError, tcpSetState } from './tcp.ts';

/** The constants of RFC 4022's Tcp group: van Jacobson's algorithm, 200 ms, 120 s, no limit. */
function tcpMibInit(tcp: NetnsTcp): void {
  const values = tcp.tcpMib.values;
  values[TCP_MIB_RTOALGORITHM] = 1;
  values[TCP_MIB_RTOMIN] = 200;
  values[TCP_MIB_RTOMAX] = 120_000;
  values[TCP_MIB_MAXCONN] = -1;
}

/** Installs TCP's engine on a Net that has sockets. */
export function installTcp(net: Net): void {
  requireNet(net, 'installTcp', 'socket');
  requireNoNet(net, 'installTcp', 'tcp');
  installInetSock(net);
  const tcp = new NetnsTcp(net, tcpTwskOps, tcpTimerOps);
  net.tcp = tcp;
  inetHashinfoInit(tcp.hashinfo, net);
  tcpMibInit(tcp);
  tcpRegisterCongestionControl(net, cubictcp);
  tcpRegisterCongestionControl(net, tcpBbr);
  tcpSetDefaultCongestionControl(net, cubictcp.name);
  const rows = tcpSysctlRows(tcp);
  registerSysctlTable(net, rows);
  registerMib(net, tcp.tcpMib);
  registerMib(net, tcp.linuxMib);
  netAtExit(net, () => {
    tcpExitSocks(tcp);
    unregisterSysctlTable(net, rows);
    unregisterMib(net, tcp.tcpMib);
    unregisterMib(net, tcp.linuxMib);
  });
}

/** The full socks of some chains (a list: ending one changes the chains). */
function tcpFullSocks(chains: readonly (SockCommon | null)[]): TcpSock[] {
  const socks: TcpSock[] = [];
  for (const first of chains) {
    for (let sk = first; sk !== null; sk = sk.nullsNext) if (sk instanceof TcpSock) socks.push(sk);
  }
  return socks;
}

/** The host goes: connections end without a word, orphans are freed, listeners drop what waits, TIME_WAIT is over. */
function tcpExitSocks(tcp: NetnsTcp): void {
  const hashinfo = tcp.hashinfo;
  for (const sk of tcpFullSocks(hashinfo.ehash)) tcpDoneWithError(sk, ECONNABORTED);
  for (const sk of tcpFullSocks(hashinfo.lhash)) {
    tcpSetState(sk, TCP_CLOSE);
    inetCskListenStop(sk);
  }
  inetTwskPurge(hashinfo);
}
