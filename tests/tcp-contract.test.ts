// The contract of sockets (@stack/socket/contract) on TCP: two hosts on one Ethernet, connected by accept and connect.
import { createWorld, idle } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import { createHost, virtioOn } from '@stack/host';
import { createSwitch } from '@stack/nic-virtio-sim';
import { inAton, SockAddrIn } from '@stack/inet-sock';
import { PF_INET, SOCK_STREAM, sysAccept, sysBind, sysClose, sysConnect, sysListen, sysSocket } from '@stack/socket';
import { socketContract, type SocketPair } from '@stack/socket/contract';
import { describe, expect, test } from 'vitest';

async function makePair(): Promise<SocketPair & { close: () => Promise<void> }> {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const lan = createSwitch(world);
  const a = createHost({ world, name: 'a', nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
  const b = createHost({ world, name: 'b', nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
  await idle(world);
  return {
    netA: a.net,
    netB: b.net,
    type: SOCK_STREAM,
    async close() {
      await a.close();
      await b.close();
    },
    async connect(taskA, taskB) {
      const listener = sysSocket(taskB, PF_INET, SOCK_STREAM, 0);
      sysBind(taskB, listener, new SockAddrIn(0, 7));
      sysListen(taskB, listener, 1);
      const accepting = sysAccept(taskB, listener);
      const fdA = sysSocket(taskA, PF_INET, SOCK_STREAM, 0);
      expect(await sysConnect(taskA, fdA, new SockAddrIn(inAton('10.0.0.2'), 7))).toBe(0);
      const fdB = await accepting;
      await sysClose(taskB, listener);
      return [fdA, fdB];
    },
  };
}

describe('the socket contract on TCP', () => {
  for (const t of socketContract) {
    test(t.name, async () => {
      const pair = await makePair();
      await t.run(() => pair);
      await pair.close();
      expect(leakReport(pair.netA.world)).toEqual([]);
    });
  }
});
