/*
 * Gives a Net its socket layer (sock_init): what it keeps per Net, its sysctls (net.core.*), its part of the report of
 * what is open, and its end.
 */
import { ctlRow, netAtExit, registerReporter, registerSysctlTable, requireNoNet } from '@stack/kernel';
import type { CtlTable, Net, OpenItem, World } from '@stack/kernel';
import { putPage } from '@stack/skbuff';
import { exitTask } from './exit.ts';
import { NetnsSocket } from './net-struct.ts';
import { SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF } from './sock-mem.ts';
import { sockTstampTx } from './tx-timestamp.ts';

/** Installs the socket layer. Throws if the World has no packet pool yet (installSkbuff). */
export function installSocket(net: Net): void {
  requireNoNet(net, 'installSocket', 'socket');
  if ((net.world.pool ?? null) === null) throw new Error('installSocket: install skbuff first (installSkbuff(world))');
  net.socket = new NetnsSocket();
  net.world.pool.tstampTx = sockTstampTx;
  registerSysctlTable(net, sysctlRows(net.socket));
  registerReporter(net.world, reportSockets);
  netAtExit(net, exitSocket);
}

function sysctlRows(ns: NetnsSocket): CtlTable[] {
  return [
    ctlRow('net.core.somaxconn', ns, 'sysctlSomaxconn', 'int', { min: 0 }),
    ctlRow('net.core.wmem_default', ns, 'sysctlWmemDefault', 'int', { min: SOCK_MIN_SNDBUF }),
    ctlRow('net.core.rmem_default', ns, 'sysctlRmemDefault', 'int', { min: SOCK_MIN_RCVBUF }),
    ctlRow('net.core.wmem_max', ns, 'sysctlWmemMax', 'int', { min: SOCK_MIN_SNDBUF }),
    ctlRow('net.core.rmem_max', ns, 'sysctlRmemMax', 'int', { min: SOCK_MIN_RCVBUF }),
    ctlRow('net.core.optmem_max', ns, 'sysctlOptmemMax', 'int', { min: 0 }),
  ];
}

function exitSocket(net: Net): void {
  const ns = net.socket;
  for (const task of ns.tasks) exitTask(task);
  if (ns.taskFrag.page !== null) {
    putPage(ns.taskFrag.page);
    ns.taskFrag.page = null;
  }
}

/** Open descriptors, sleeping calls, and socks that nobody has a descriptor of. */
function reportSockets(world: World, only: Net | null, out: OpenItem[]): void {
  for (const net of world.nets) {
    if ((only !== null && net !== only) || net.socket === null) continue;
    const { socket: ns, name: host } = net;
    for (const task of ns.tasks) {
      task.fdArray.forEach((file, fd) => {
        if (file !== null) out.push({ kind: 'file', host, owner: task.comm, detail: `fd ${fd}, ${file.fOp.name}` });
      });
      for (let s = task.sleeperFirst; s !== null; s = s.next) {
        out.push({ kind: 'call', host, owner: task.comm, detail: `${s.ops?.name ?? '?'} sleeps on fd ${s.fd}` });
      }
    }
    for (let sk = ns.sockFirst; sk !== null; sk = sk.skAllNext) {
      out.push({ kind: 'sock', host, owner: sk.skProt.name, detail: `state ${sk.skState}, ${sk.skRefcnt} references` });
    }
  }
}
