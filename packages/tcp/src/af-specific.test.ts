/** The contract of af_specific, on the carrier of the tests; IPv4's is in the tests of whole hosts. */
import { afOpsContract } from '@stack/inet-sock/contract';
import { createWorld } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import { skAlloc, sockInitData } from '@stack/socket';
import { test } from 'vitest';
import { AF_CHANNEL, Channel, channelSpecific } from './tcp-channel.ts';
import { channelProt, createChannelHost } from './tcp-channel-family.ts';
import { tcpSk } from './tcp-sock.ts';

for (const rule of afOpsContract) {
  test(rule.name, () => {
    rule.run(() => {
      const world = createWorld();
      installSkbuff(world);
      const { net } = createChannelHost(new Channel(world), 1);
      return {
        af: channelSpecific,
        sock(local, localPort, remote, remotePort) {
          const sk = tcpSk(skAlloc(net, AF_CHANNEL, channelProt));
          sockInitData(null, sk);
          sk.inetRcvSaddr = local;
          sk.inetSaddr = local;
          sk.inetNum = localPort;
          sk.inetSport = localPort;
          sk.inetDaddr = remote;
          sk.inetDport = remotePort;
          return sk;
        },
      };
    });
  });
}
