import type { Net, TraceRecord } from '@stack/kernel';
import {
  EBUSY, ECONNREFUSED, EINVAL, ENOENT, EPERM, ESRCH, SKB_DROP_REASON_NETFILTER_DROP, createNet, createWorld, destroyNet, traceNet,
} from '@stack/kernel';
import { NfConntrack, allocSkb, consumeSkb, installSkbuff, leakReport } from '@stack/skbuff';
import type { SkBuff } from '@stack/skbuff';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NfHookOps, NfHookState, NfQueueEntry, NfQueueHandler } from './index.ts';
import {
  NFPROTO_ARP, NFPROTO_IPV4, NF_ACCEPT, NF_ARP_OUT, NF_DROP, NF_DROP_ERR, NF_INET_FORWARD, NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NF_IP_PRI_CONNTRACK, NF_IP_PRI_FILTER, NF_IP_PRI_MANGLE, NF_QUEUE, NF_QUEUE_NR,
  NF_REPEAT, NF_STOLEN, NF_VERDICT_FLAG_QUEUE_BYPASS, installNetfilter, nfCtAttach, nfHook, nfRegisterNetHook,
  nfRegisterNetHooks, nfRegisterQueueHandler, nfReinject, nfSetCtHook, nfUnregisterNetHook, nfUnregisterNetHooks,
  nfUnregisterQueueHandler,
} from './index.ts';

let net: Net;
let calls: string[];
beforeEach(() => {
  const world = createWorld({ seed: 1, debug: true });
  installSkbuff(world);
  net = createNet(world, { name: 'a' });
  installNetfilter(net);
  calls = [];
});
afterEach(() => expect(leakReport(net.world)).toEqual([]));

/** Where accepted packets go on: says so, and returns what no verdict does. */
function okfn(skb: SkBuff): number {
  calls.push('okfn');
  consumeSkb(skb);
  return 42;
}

function packet(host: Net = net): SkBuff {
  const skb = allocSkb(host, 100);
  if (skb === null) throw new Error('ENOMEM');
  return skb;
}

/** A hook that says its name and gives its verdicts in turn, the last one for ever. */
function hookOps(name: string, priority: number, verdicts: number[], hooknum: number = NF_INET_LOCAL_OUT): NfHookOps {
  let turn = 0;
  return {
    pf: NFPROTO_IPV4, hooknum, priority, priv: name,
    hook: (priv, skb, state) => {
      calls.push(String(priv));
      const verdict = verdicts[Math.min(turn++, verdicts.length - 1)]!;
      if (verdict === NF_STOLEN) consumeSkb(skb);
      if (state.net !== net) throw new Error('wrong host');
      return verdict;
    },
  };
}

const pass = (skb: SkBuff = packet()): number => nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, skb, null, null, okfn);

/** A queue handler that keeps what it gets. */
class Queue implements NfQueueHandler {
  entries: NfQueueEntry[] = [];
  outfn = (entry: NfQueueEntry, queuenum: number): number => {
    calls.push(`queue ${queuenum}`);
    this.entries.push(entry);
    return 0;
  };
  nfHookDrop = (host: Net): void => {
    calls.push(`drop ${host.name}`);
    for (const entry of this.entries.splice(0)) nfReinject(entry, NF_DROP);
  };
}

describe('a hook point', () => {
  it('without hook functions goes straight on', () => {
    expect(pass()).toBe(42);
    expect(calls).toEqual(['okfn']);
  });

  it('calls hook functions by priority, equal ones in the order of registration', () => {
    nfRegisterNetHook(net, hookOps('filter', NF_IP_PRI_FILTER, [NF_ACCEPT]));
    nfRegisterNetHook(net, hookOps('conntrack', NF_IP_PRI_CONNTRACK, [NF_ACCEPT]));
    nfRegisterNetHook(net, hookOps('filter2', NF_IP_PRI_FILTER, [NF_ACCEPT]));
    nfRegisterNetHook(net, hookOps('mangle', NF_IP_PRI_MANGLE, [NF_ACCEPT]));
    expect(pass()).toBe(42);
    expect(calls).toEqual(['conntrack', 'mangle', 'filter', 'filter2', 'okfn']);
  });

  it('is one of (family, hook): the others are not called', () => {
    for (const hook of [NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING]) {
      nfRegisterNetHook(net, hookOps(`hook ${hook}`, 0, [NF_ACCEPT], hook));
    }
    nfRegisterNetHook(net, { ...hookOps('arp', 0, [NF_ACCEPT]), pf: NFPROTO_ARP });
    for (let hook = 0; hook < 5; hook++) {
      calls = [];
      nfHook(NFPROTO_IPV4, hook, packet(), null, null, okfn);
      expect(calls).toEqual([`hook ${hook}`, 'okfn']);
    }
  });

  it('tells the hook functions devices, hook, family and okfn, at every depth', () => {
    const seen: unknown[] = [];
    const [indev, outdev] = [{ name: 'eth0' } as never, { name: 'eth1' } as never];
    const note = (state: NfHookState): void => {
      seen.push([state.pf, state.hook, state.indev, state.outdev, state.okfn === okfn]);
    };
    nfRegisterNetHook(net, {
      pf: NFPROTO_IPV4, hooknum: NF_INET_FORWARD, priority: 0,
      hook: (_priv, _skb, state) => {
        note(state);
        if (state.indev !== null) nfHook(NFPROTO_IPV4, NF_INET_FORWARD, packet(), null, outdev, okfn);
        note(state);
        return NF_ACCEPT;
      },
    });
    nfHook(NFPROTO_IPV4, NF_INET_FORWARD, packet(), indev, null, okfn);
    const [outer, inner] = [[2, 2, indev, null, true], [2, 2, null, outdev, true]];
    expect(seen).toEqual([outer, inner, inner, outer]);
  });

  it('belongs to the packet\'s host', () => {
    nfRegisterNetHook(net, hookOps('a', 0, [NF_ACCEPT]));
    const other = createNet(net.world, { name: 'b' });
    installNetfilter(other);
    pass(packet(other));
    expect(calls).toEqual(['okfn']);
  });

  it('shows its name in a trace, with hook functions and without', () => {
    const hits: TraceRecord[] = [];
    traceNet(net, (record) => hits.push(record));
    nfRegisterNetHook(net, hookOps('x', 0, [NF_ACCEPT]));
    for (let hook = 0; hook < 5; hook++) nfHook(NFPROTO_IPV4, hook, packet(), null, null, okfn);
    nfHook(NFPROTO_ARP, NF_ARP_OUT, packet(), null, null, okfn);
    expect(hits.map((hit) => hit.function)).toEqual([
      'NF_INET_PRE_ROUTING', 'NF_INET_LOCAL_IN', 'NF_INET_FORWARD', 'NF_INET_LOCAL_OUT', 'NF_INET_POST_ROUTING',
      'NF_ARP_OUT',
    ]);
  });

  it('still works after a hook function has thrown', () => {
    nfRegisterNetHook(net, { ...hookOps('x', 0, []), hook: () => {
      throw new Error('broken hook');
    } });
    const skb = packet();
    expect(() => pass(skb)).toThrow('broken hook');
    consumeSkb(skb);
    expect(net.nf.depth).toBe(0);
  });

  it('a walk under way is not disturbed when its list changes', () => {
    const second = hookOps('second', 1, [NF_ACCEPT]);
    nfRegisterNetHook(net, { ...hookOps('first', 0, []), hook: () => {
      nfUnregisterNetHook(net, second);
      nfRegisterNetHook(net, hookOps('third', -1, [NF_ACCEPT]));
      return NF_ACCEPT;
    } });
    nfRegisterNetHook(net, second);
    pass();
    expect(calls).toEqual(['second', 'okfn']);
  });
});

describe('verdicts', () => {
  it('NF_DROP frees the packet as a netfilter drop: -EPERM, or the verdict\'s errno', () => {
    nfRegisterNetHook(net, hookOps('drop', 0, [NF_DROP, NF_DROP_ERR(ECONNREFUSED)]));
    nfRegisterNetHook(net, hookOps('never', 1, [NF_ACCEPT]));
    expect([pass(), pass()]).toEqual([-EPERM, -ECONNREFUSED]);
    expect(calls).toEqual(['drop', 'drop']);
    expect(net.dropReasons[SKB_DROP_REASON_NETFILTER_DROP]).toBe(2);
  });

  it('NF_STOLEN ends the walk: the hook function has the packet', () => {
    nfRegisterNetHook(net, hookOps('steal', 0, [NF_STOLEN]));
    expect(pass()).toBe(0);
    expect(calls).toEqual(['steal']);
  });

  it('NF_REPEAT calls the same hook function again', () => {
    nfRegisterNetHook(net, hookOps('again', 0, [NF_REPEAT, NF_REPEAT, NF_ACCEPT]));
    nfRegisterNetHook(net, hookOps('next', 1, [NF_ACCEPT]));
    expect(pass()).toBe(42);
    expect(calls).toEqual(['again', 'again', 'again', 'next', 'okfn']);
  });

  it('hook functions may leave a mark', () => {
    nfRegisterNetHook(net, { ...hookOps('mark', 0, []), hook: (_priv, skb) => {
      skb.mark = 7;
      return NF_ACCEPT;
    } });
    const skb = packet();
    nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, skb, null, null, (marked) => {
      calls.push(`mark ${marked.mark}`);
      consumeSkb(marked);
      return 0;
    });
    expect(calls).toEqual(['mark 7']);
  });
});

describe('NF_QUEUE', () => {
  it('hands the packet to the handler; NF_ACCEPT takes it on with the next hook function', () => {
    const queue = new Queue();
    nfRegisterQueueHandler(net, queue);
    nfRegisterNetHooks(net, [hookOps('queue', 0, [NF_QUEUE_NR(5)]), hookOps('next', 1, [NF_ACCEPT])]);
    const skb = packet();
    expect(pass(skb)).toBe(0);
    expect(calls).toEqual(['queue', 'queue 5']);
    const entry = queue.entries.shift()!;
    expect([entry.skb, entry.state.hook, entry.state.pf]).toEqual([skb, NF_INET_LOCAL_OUT, NFPROTO_IPV4]);
    nfReinject(entry, NF_ACCEPT);
    expect(calls).toEqual(['queue', 'queue 5', 'next', 'okfn']);
  });

  it('NF_REPEAT calls the hook function again, NF_DROP drops, NF_STOLEN keeps, NF_QUEUE waits again', () => {
    const queue = new Queue();
    nfRegisterQueueHandler(net, queue);
    nfRegisterNetHook(net, hookOps('queue', 0, [NF_QUEUE, NF_ACCEPT, NF_QUEUE]));
    pass();
    nfReinject(queue.entries.shift()!, NF_REPEAT);
    expect(calls).toEqual(['queue', 'queue 0', 'queue', 'okfn']);
    pass();
    nfReinject(queue.entries.shift()!, NF_DROP);
    expect(net.dropReasons[SKB_DROP_REASON_NETFILTER_DROP]).toBe(1);
    pass();
    const stolen = queue.entries.shift()!;
    nfReinject(stolen, NF_STOLEN);
    consumeSkb(stolen.skb);
    calls = [];
    pass();
    nfReinject(queue.entries.shift()!, NF_QUEUE_NR(9));
    nfReinject(queue.entries.shift()!, NF_ACCEPT);
    expect(calls).toEqual(['queue', 'queue 0', 'queue 9', 'okfn']);
  });

  it('the state of a waiting packet is its own', () => {
    const queue = new Queue();
    nfRegisterQueueHandler(net, queue);
    const ops = hookOps('queue', 0, [NF_QUEUE]);
    nfRegisterNetHook(net, ops);
    const device = { name: 'eth0' } as never;
    nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, packet(), null, device, okfn);
    nfHook(NFPROTO_IPV4, NF_INET_LOCAL_OUT, packet(), device, null, okfn);
    const devices = queue.entries.map(({ state }) => [state.indev, state.outdev]);
    expect(devices).toEqual([[null, device], [device, null]]);
    expect(queue.entries[0]!.id).not.toBe(queue.entries[1]!.id);
    nfUnregisterNetHook(net, ops);
  });

  it('without a handler drops with -ESRCH, or goes on when the verdict says so', () => {
    nfRegisterNetHook(net, hookOps('queue', 0, [NF_QUEUE, NF_QUEUE | NF_VERDICT_FLAG_QUEUE_BYPASS]));
    expect([pass(), pass()]).toEqual([-ESRCH, 42]);
  });

  it('a handler that does not take it has it dropped, or passed when nobody listens and the verdict says so', () => {
    let err = -EINVAL;
    nfRegisterQueueHandler(net, { outfn: () => err, nfHookDrop: () => undefined });
    nfRegisterNetHook(net, hookOps('queue', 0, [NF_QUEUE, NF_QUEUE | NF_VERDICT_FLAG_QUEUE_BYPASS]));
    expect([pass(), pass()]).toEqual([-EINVAL, -EINVAL]);
    err = -ESRCH;
    expect(pass()).toBe(42);
  });

  it('a handler may bring the packet back at once', () => {
    nfRegisterQueueHandler(net, { outfn: (entry) => {
      nfReinject(entry, NF_ACCEPT);
      return 0;
    }, nfHookDrop: () => undefined });
    nfRegisterNetHook(net, hookOps('queue', 0, [NF_QUEUE]));
    expect(pass()).toBe(0);
    expect(calls).toEqual(['queue', 'okfn']);
  });

  it('waiting packets are dropped when a hook function or the handler is unregistered, or the host ends', () => {
    const queue = new Queue();
    const ops = hookOps('queue', 0, [NF_QUEUE]);
    nfRegisterQueueHandler(net, queue);
    nfRegisterNetHook(net, ops);
    pass();
    nfUnregisterNetHook(net, ops);
    expect([queue.entries.length, net.dropReasons[SKB_DROP_REASON_NETFILTER_DROP]]).toEqual([0, 1]);
    nfRegisterNetHook(net, ops);
    pass();
    nfUnregisterQueueHandler(net);
    expect(queue.entries.length).toBe(0);
    nfRegisterQueueHandler(net, queue);
    pass();
    destroyNet(net);
    expect(queue.entries.length).toBe(0);
  });
});

describe('registering', () => {
  it('returns -errno for a duplicate and for a point that does not exist', () => {
    const ops = hookOps('x', 0, [NF_ACCEPT]);
    expect([nfRegisterNetHook(net, ops), nfRegisterNetHook(net, ops)]).toEqual([0, -EBUSY]);
    expect([nfUnregisterNetHook(net, ops), nfUnregisterNetHook(net, ops)]).toEqual([0, -ENOENT]);
    for (const wrong of [{ pf: 0 }, { pf: 11 }, { hooknum: -1 }, { hooknum: 8 }]) {
      expect(nfRegisterNetHook(net, { ...ops, ...wrong })).toBe(-EINVAL);
    }
    pass();
    expect(calls).toEqual(['okfn']);
  });

  it('several: all or none', () => {
    const [a, b] = [hookOps('a', 0, [NF_ACCEPT]), hookOps('b', 1, [NF_ACCEPT])];
    expect(nfRegisterNetHooks(net, [a, b, a])).toBe(-EBUSY);
    pass();
    expect(calls).toEqual(['okfn']);
    expect(nfRegisterNetHooks(net, [a, b])).toBe(0);
    nfUnregisterNetHooks(net, [a]);
    calls = [];
    pass();
    expect(calls).toEqual(['b', 'okfn']);
  });

  it('one queue handler, one conntrack', () => {
    const queue = new Queue();
    expect([nfRegisterQueueHandler(net, queue), nfRegisterQueueHandler(net, queue)]).toEqual([0, -EBUSY]);
    const hook = { attach: () => undefined };
    expect([nfSetCtHook(net, hook), nfSetCtHook(net, hook), nfSetCtHook(net, null), nfSetCtHook(net, hook)]).toEqual([0, -EBUSY, 0, 0]);
    expect(() => installNetfilter(net)).toThrow('nf is installed already');
  });
});

describe('nf_ct_attach', () => {
  it('gives an answer the connection of what it answers', () => {
    const [answer, skb] = [packet(), packet()];
    nfCtAttach(answer, skb);
    nfSetCtHook(net, { attach: (nskb, from) => {
      nskb.nfct = from.nfct;
      from.nfct!.use++;
    } });
    nfCtAttach(answer, skb);
    expect(answer.nfct).toBe(null);
    skb.nfct = new NfConntrack({ destroy: () => calls.push('destroy') });
    nfCtAttach(answer, skb);
    expect(answer.nfct).toBe(skb.nfct);
    consumeSkb(skb);
    expect(calls).toEqual([]);
    consumeSkb(answer);
    expect(calls).toEqual(['destroy']);
  });
});
