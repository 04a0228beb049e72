// A trace that only prints would pass by itself. So the tests of the path are run on sources in which one call of the path is left
// out, or one offset moved, once per layer: each time they must fail; and on the sources as they are they must not.
import { expect, test } from 'vitest';
import { failed, failedWith, runMutated, type Mutation } from './support/mutations.ts';

const file = 'tests/path.test.ts';

const mutations: readonly Mutation[] = [
  {
    layer: 'socket', what: 'sock_sendmsg leaves __sock_sendmsg out', file: 'socket/src/socket.ts',
    from: '  return __sockSendmsg(sock, msg, size);', to: '  return (sock.ops as ProtoOps).sendmsg(sock, msg, size);',
  },
  {
    layer: 'inet', what: 'inet_sendmsg is left out', file: 'socket/src/socket.ts',
    from: 'return (sock.ops as ProtoOps).sendmsg(sock, msg, size);', to: 'return sock.sk!.skProt.sendmsg(sock.sk!, msg, size);',
  },
  {
    layer: 'tcp', what: 'tcp_transmit_skb leaves h two octets off', file: 'tcp/src/tcp-output.ts',
    from: 'skbResetTransportHeader(skb);', to: 'skbResetTransportHeader(skb); skb.transportHeader += 2;',
  },
  {
    layer: 'ip', what: 'ip_output leaves ip_finish_output out', file: 'ip/src/ip-output.ts',
    from: 'return ipFinishOutput(skb);', to: 'skb.dev = skb.dst.dev; return nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, skb, null, skb.dev, ipFinishOutput2);',
  },
  {
    layer: 'netfilter', what: 'LOCAL_IN is left out', file: 'ip/src/ip-input.ts',
    from: 'return nfHook(NFPROTO_IPV4, NF_INET_LOCAL_IN, whole, whole.dev, null, ipLocalDeliverFinish);', to: 'return ipLocalDeliverFinish(whole);',
  },
  {
    layer: 'neigh', what: 'the Ethernet header is pushed and mac not set', file: 'neigh/src/neigh-output.ts',
    from: '  skbResetMacHeader(skb);\n', to: '',
  },
  {
    layer: 'netdev', what: 'eth_type_trans leaves mac two octets off', file: 'netdev/src/eth.ts',
    from: '  skb.macHeader = at;', to: '  skb.macHeader = at + 2;',
  },
  {
    layer: 'nic-virtio-sim', what: 'the plain driver leaves netif_rx and process_backlog out', file: 'nic-virtio-sim/src/plain-nic.ts',
    from: ' netifRx,', to: ' netifReceiveSkb as netifRx,',
  },
  {
    layer: 'skbuff', what: 'skb_reset_mac_header is one octet off', file: 'skbuff/src/data.ts',
    from: '  skb.macHeader = skb.data;', to: '  skb.macHeader = skb.data + 1;',
  },
];

test('the path tests pass on the sources as they are', async () => {
  const outcomes = await runMutated(file, 'none', []);
  expect(outcomes.length).toBeGreaterThan(20);
  expect(failed(outcomes)).toEqual([]);
});

test.each(mutations)('$layer: $what, and the path tests fail', async (mutation) => {
  expect(await failedWith(file, mutation.layer, mutation)).not.toEqual([]);
});
