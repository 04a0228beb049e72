/*
 * The names of `%{ … }%`: TCP_INFO's fields as `tcpi_…`, SO_MEMINFO's as `sk_…`, SNMP counters as nstat has them
 * (`TcpExtTCPLossProbes`), constants. What a piece of code does not mention is not asked for: on a real kernel that takes time.
 */
import { symbols } from './symbols.ts';
import type { TargetOps } from './target.ts';

const COUNTER = /\b(?:Tcp|TcpExt|Ip|IpExt|Icmp|IcmpMsg|Udp)[A-Z]/;
const MEMINFO = /\bsk_[a-z]/;

type Numbers = ReadonlyMap<string, number>;

/** The first of `fds` that `read` knows: what it says. */
function firstOf(fds: readonly number[], read: (fd: number) => Numbers | null): Numbers {
  for (const fd of fds) {
    const found = read(fd);
    if (found !== null) return found;
  }
  return new Map();
}

/**
 * The names that `code` may use.
 *
 * @param fds the target's descriptors: the last TCP socket among them is the one that is looked at
 */
export function pythonNames<T>(ops: TargetOps<T>, target: T, fds: readonly number[], code: string): Map<string, number> {
  const latest = [...fds].reverse();
  const names = new Map(symbols);
  const add = (more: Numbers): void => more.forEach((value, name) => names.set(name, value));
  add(firstOf(latest, (fd) => ops.tcpInfo(target, fd)));
  if (MEMINFO.test(code)) add(firstOf(latest, (fd) => (ops.tcpInfo(target, fd) === null ? null : ops.meminfo(target, fd))));
  if (COUNTER.test(code)) add(ops.counters(target));
  return names;
}
