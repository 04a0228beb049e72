// A trace that only prints would pass by itself. So the tests of the path are run on sources in which one call of the path is left
// out, or one offset moved, once per layer: each time they must fail; and on the sources as they are they must not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { expect, test } from 'vitest';
import type { Outcome } from './portable/run.ts';
import { runOn } from './support/spawn.ts';
import { bundle, testEntry } from './support/bundle.ts';
import { root } from './support/workspace.ts';

interface Mutation {
  readonly layer: string;
  readonly what: string;
  /** Below packages/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

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

/** Changes one file as it is read. Throws when the text to change is not there: then the mutation must be written anew. */
function mutate({ file, from, to }: Mutation): Plugin {
  const path = join(root, 'packages', file);
  const source = readFileSync(path, 'utf8');
  if (!source.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`);
  return {
    name: 'mutate',
    setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, (args) => (args.path === path ? { contents: source.replace(from, to), loader: 'ts' } : null)),
  };
}

async function runPathTests(name: string, plugins: Plugin[]): Promise<Outcome[]> {
  const entry = await bundle(testEntry([join(root, 'tests/path.test.ts')]), join(root, '.cache', 'mutations', name), plugins);
  return await runOn('node', entry) as Outcome[];
}

const failed = (outcomes: readonly Outcome[]): string[] => outcomes.filter(({ state }) => state === 'fail').map(({ name }) => name);

/** The tests that fail on the mutated sources; a run that does not even end is a failure too. */
async function failedWith(mutation: Mutation): Promise<string[]> {
  const plugin = mutate(mutation);
  try {
    return failed(await runPathTests(mutation.layer, [plugin]));
  } catch {
    return ['the run did not end'];
  }
}

test('the path tests pass on the sources as they are', async () => {
  const outcomes = await runPathTests('none', []);
  expect(outcomes.length).toBeGreaterThan(20);
  expect(failed(outcomes)).toEqual([]);
});

test.each(mutations)('$layer: $what, and the path tests fail', async (mutation) => {
  expect(await failedWith(mutation)).not.toEqual([]);
});
