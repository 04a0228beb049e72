import { createNet, createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { installSocket } from '@stack/socket';
import { describe, expect, test } from 'vitest';
import { tcpCongestionContract } from './contract.ts';
import { installTcp } from './install.ts';
import { tcpBbr } from './tcp-bbr.ts';
import { tcpReno } from './tcp-cong.ts';
import type { TcpCongestionOps } from './tcp-cong.ts';
import { cubictcp } from './tcp-cubic.ts';
import { tcpSk } from './tcp-sock.ts';
import { tcpInitSock } from './tcp.ts';
import { AF_CHANNEL } from './tcp-channel.ts';
import { channelProt } from './tcp-channel-family.ts';
import type { TcpSock } from './tcp-sock.ts';

function makeSock(): TcpSock {
  const world = createWorld();
  installSkbuff(world);
  const net = createNet(world, { name: 'host' });
  installSocket(net);
  installTcp(net);
  const sk = tcpSk(channelProt.objCreate(net, AF_CHANNEL, channelProt));
  tcpInitSock(sk);
  return sk;
}

for (const ops of [tcpReno, cubictcp, tcpBbr]) {
  describe(`contract on ${ops.name}`, () => {
    for (const rule of tcpCongestionContract) test(rule.name, () => rule.run(() => ({ ops, sk: makeSock() })));
  });
}

describe('the contract finds what is broken', () => {
  const broken: [string, Partial<TcpCongestionOps>][] = [
    ['ssthresh is less', { ssthresh: (sk) => sk.sndCwnd }],
    ['undo returns', { undoCwnd: () => 1 }],
    ['an ACK grows', { congAvoid: (sk, _ack, acked) => void (sk.sndCwnd += acked + 1) }],
    ['not used does not grow', { congAvoid: (sk) => void sk.sndCwnd++ }],
    ['survives every event', { pktsAcked: (sk, sample) => void (sk.sndCwnd = sample.rttUs) }],
    ['comes back', { congAvoid: () => undefined }],
  ];
  for (const [name, change] of broken) {
    test(name, () => {
      const rule = tcpCongestionContract.find((r) => r.name.includes(name));
      expect(() => rule?.run(() => ({ ops: { ...tcpReno, name: 'broken', ...change }, sk: makeSock() }))).toThrow();
    });
  }
});
