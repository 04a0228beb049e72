// The tests of the path of SOCK_DGRAM, SOCK_RAW and PF_PACKET are run on sources in which one call of their path is left out, or one
// offset moved: each time they must fail; and on the sources as they are they must not.
import { expect, test } from 'vitest';
import { failed, failedWith, runMutated, type Mutation } from './support/mutations.ts';

const file = 'tests/path-sockets.test.ts';

const mutations: readonly Mutation[] = [
  {
    layer: 'socket', what: 'sock_recvmsg leaves __sock_recvmsg out', file: 'socket/src/socket.ts',
    from: '  return __sockRecvmsg(sock, msg, size, flags);', to: '  return (sock.ops as ProtoOps).recvmsg(sock, msg, size, flags);',
  },
  {
    layer: 'inet', what: 'inet_sendmsg is left out of inet_sockraw_ops', file: 'inet/src/inet-ops.ts',
    from: 'poll: datagramPoll,\n  ioctl: inetIoctl,\n  listen: sockNoListen,\n  shutdown: inetShutdown,\n  setsockopt: sockCommonSetsockopt,\n  getsockopt: sockCommonGetsockopt,\n  sendmsg: inetSendmsg,',
    to: 'poll: datagramPoll,\n  ioctl: inetIoctl,\n  listen: sockNoListen,\n  shutdown: inetShutdown,\n  setsockopt: sockCommonSetsockopt,\n  getsockopt: sockCommonGetsockopt,\n  sendmsg: (sock, msg, size) => sock.sk.skProt.sendmsg(sock.sk, msg, size),',
  },
  {
    layer: 'udp', what: 'udp_rcv leaves its header in front', file: 'udp/src/udp-rcv.ts',
    from: '  skbPull(skb, UDP_HLEN);\n', to: '',
  },
  {
    layer: 'raw', what: 'raw_rcv is left out', file: 'inet/src/raw-rcv.ts',
    from: 'if (clone !== null) rawRcv(sk, clone);', to: 'if (clone !== null) sockQueueRcvSkb(sk, clone);',
  },
  {
    layer: 'ip', what: 'LOCAL_OUT is left out', file: 'ip/src/ip-output.ts',
    from: 'return nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, skb, null, dst === null ? null : dst.dev, dstOutput);', to: 'return dstOutput(skb);',
  },
  {
    layer: 'ping', what: 'ping_rcv leaves the ICMP header behind', file: 'inet/src/ping.ts',
    from: '  __skbPush(clone, clone.data - clone.transportHeader);\n', to: '',
  },
  {
    layer: 'packet-rcv', what: 'packet_rcv leaves the link-layer header out', file: 'packet/src/packet-rcv.ts',
    from: 'if (skb.macHeader >= 0) __skbPush(skb, skb.data - skb.macHeader);', to: '',
  },
  {
    layer: 'packet-snd', what: 'packet_sendmsg leaves dev_queue_xmit out', file: 'packet/src/packet-snd.ts',
    from: 'const rc = devQueueXmit(skb);', to: 'skb.macHeader = skb.data; const rc = dev.netdevOps.ndoStartXmit(skb, dev);',
  },
  {
    layer: 'packet-header', what: 'SOCK_DGRAM is sent without the header of the device', file: 'packet/src/packet-snd.ts',
    from: 'return devHardHeader(skb, dev, skb.protocol, daddr, null, len) < 0 ? -EINVAL : 0;', to: 'return daddr === null ? -EINVAL : 0;',
  },
  {
    layer: 'netdev', what: 'taps do not see what is sent', file: 'netdev/src/dev-hard-xmit.ts',
    from: 'devQueueXmitNit(skb, dev);', to: ';',
  },
];

test('the tests pass on the sources as they are', async () => {
  const outcomes = await runMutated(file, 'sockets-none', []);
  expect(outcomes.length).toBeGreaterThan(20);
  expect(failed(outcomes)).toEqual([]);
});

test.each(mutations)('$layer: $what, and the tests fail', async (mutation) => {
  expect(await failedWith(file, `sockets-${mutation.layer}`, mutation)).not.toEqual([]);
});
