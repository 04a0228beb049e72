// The tests of IP's branches, run on sources in which each branch in turn leaves one call out: each time they must fail.
import { expect, test } from 'vitest';
import { failed, failedWith, runMutated, type Mutation } from './support/mutations.ts';

const file = 'tests/path-ip.test.ts';

const mutations: readonly Mutation[] = [
  {
    layer: 'forwarded', what: 'ip_forward leaves the hook FORWARD out', file: 'ip/src/ip-forward.ts',
    from: 'return nfHook(NFPROTO_IPV4, NF_INET_FORWARD, skb, skb.dev, dev, ipForwardFinish);', to: 'return ipForwardFinish(skb);',
  },
  {
    layer: 'forwarded-finish', what: 'ip_forward_finish leaves dst_output out', file: 'ip/src/ip-forward.ts',
    from: 'return dstOutput(skb);', to: 'return skb.dst.output(skb);',
  },
  {
    layer: 'looped-back', what: 'the loopback device takes the packet\'s route away', file: 'netdev/src/loopback.ts',
    from: 'import { NET_RX_SUCCESS, skbOrphan, type SkBuff }', to: 'import { NET_RX_SUCCESS, skbDstDrop as skbOrphan, type SkBuff }',
  },
  {
    layer: 'to-many', what: 'the copy of a broadcast does not pass POST_ROUTING', file: 'ip/src/ip-output.ts',
    from: 'nfHook(NFPROTO_IPV4, NF_INET_POST_ROUTING, copy, null, copy.dev, devLoopbackXmit);', to: 'devLoopbackXmit(copy);',
  },
  {
    layer: 'multicast', what: 'ip_mc_output does not ask whether the sender wants to hear itself', file: 'ip/src/ip-output.ts',
    from: 'if (skMcLoop(skb) && ', to: 'if (',
  },
  {
    layer: 'dropped', what: 'a hook that drops lets the packet pass', file: 'netfilter/src/hook.ts',
    from: 'export const NF_DROP = 0;', to: 'export const NF_DROP = 1;',
  },
  {
    layer: 'cut', what: 'fragments pass POST_ROUTING instead of the whole', file: 'ip/src/ip-output.ts',
    from: 'if (ipExceedsMtu(skb)) return ipFragmentOrDrop(skb, ipFinishOutput2);', to: 'if (ipExceedsMtu(skb)) return ipFragmentOrDrop(skb, ipFinishOutput);',
  },
  {
    layer: 'put-together', what: 'ip_local_deliver puts together behind LOCAL_IN', file: 'ip/src/ip-input.ts',
    from: 'if (ipIsFragment(skb)) {', to: 'if (ipIsFragment(skb) && nfHook(NFPROTO_IPV4, NF_INET_LOCAL_IN, skb, skb.dev, null, () => 0) === 0) {',
  },
  {
    layer: 'redirected', what: 'the better gateway is not remembered', file: 'ip/src/route-redirect.ts',
    from: 'else rtRedirectException(rt.net, rt.rtDst, newGw, dev);', to: '',
  },
];

test('the tests of IP\'s branches pass on the sources as they are', async () => {
  const outcomes = await runMutated(file, 'ip-none', []);
  expect(outcomes.length).toBeGreaterThan(15);
  expect(failed(outcomes)).toEqual([]);
});

test.each(mutations)('$layer: $what, and the tests fail', async (mutation) => {
  expect(await failedWith(file, `ip-${mutation.layer}`, mutation)).not.toEqual([]);
});
