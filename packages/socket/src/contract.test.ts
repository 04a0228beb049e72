import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff, leakReport } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { socketContract } from './contract.ts';
import type { SocketPair } from './contract.ts';
import { installSocket } from './install.ts';
import { sockRegister } from './socket.ts';
import { sysSocketpair } from './sys-socket.ts';
import { pairFamily } from './test-family.ts';
import { fget } from './fdtable.ts';
import { fdInstall } from './fdtable.ts';
import type { Task } from './task.ts';
import { AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from './uapi-socket.ts';

function makePair(type: number): SocketPair {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world);
  installSocket(net);
  sockRegister(net, pairFamily);
  const connect = (a: Task, b: Task): readonly [number, number] => {
    const sv: number[] = [];
    expect(sysSocketpair(a, AF_UNIX, type, 0, sv)).toBe(0);
    const [fd0 = -1, fd1 = -1] = sv;
    // The second end moves to the other task, as a fork would do it.
    const file = fget(a, fd1)!;
    a.fdArray[fd1] = null;
    fdInstall(b, 0, file, 0);
    return [fd0, 0];
  };
  return { netA: net, netB: net, type, connect };
}

for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
  describe(`contract on the test family, ${type === SOCK_STREAM ? 'SOCK_STREAM' : 'SOCK_DGRAM'}`, () => {
    for (const t of socketContract) {
      test(t.name, async () => {
        const pair = makePair(type);
        await t.run(() => pair);
        expect(leakReport(pair.netA.world)).toEqual([]);
      });
    }
  });
}
