// The contract of NfHookOps: what the hook core expects of every hook function.
//
// A test runner goes over nfHookContract and calls run(make) of each; a rule that is broken throws. `make` gives a host, the ops,
// not registered, and what makes packets such as come by their hook.
//
//   for (const { name, run } of nfHookContract) test(name, () => run(make));
//
// The contracts of NfCtHook and NfQueueHandler are in contract-ct.ts and come through here.

import { EBUSY, ENOENT, destroyNet, worldEnter, worldLeave, type Net } from '@stack/kernel';
import { kfreeSkb, leakReport, type SkBuff } from '@stack/skbuff';
import { nfHook, nfRegisterNetHook, nfUnregisterNetHook } from './core.ts';
import { NFPROTO_NUMPROTO, NF_ACCEPT, NF_DROP, NF_QUEUE, NF_REPEAT, NF_STOLEN, NF_VERDICT_MASK, NfHookState, type NfHookOps, type NfOkfn } from './hook.ts';

export { nfCtHookContract, nfQueueHandlerContract, type NfCtRig, type NfQueueRig, type NfRule } from './contract-ct.ts';

/** Hook functions, and packets for them. */
export interface NfHookRig {
  readonly net: Net;
  readonly ops: NfHookOps;
  /** Packet `i` of many different ones, as they come by the hook: data at the network header; the caller's. */
  readonly packet: (i: number) => SkBuff;
}

/** One rule of the contract. */
export interface NfHookRule {
  readonly name: string;
  /** Throws if the ops that `make` gives break the rule. */
  readonly run: (make: () => NfHookRig) => void;
}

/** Packets that a rule looks at. */
const MANY = 20;
/** A hook function that asks to be called again so often will never stop. */
const REPEATS = 100;

function check(what: boolean, message: string): void {
  if (!what) throw new Error(`NfHookOps contract: ${message}`);
}

/** Runs `body` inside the World; afterwards the host goes, and nothing may be left. */
function inHost(make: () => NfHookRig, body: (rig: NfHookRig) => void): void {
  const rig = make();
  const { net } = rig;
  worldEnter(net.world);
  try {
    body(rig);
  } finally {
    worldLeave(net.world);
  }
  destroyNet(net);
  check(leakReport(net.world).length === 0, 'a packet is left over, neither accepted nor freed');
}

/** What stands behind the hook: frees what comes, and counts it. */
function counter(): { count: number; readonly okfn: NfOkfn } {
  const passed = {
    count: 0,
    okfn: (skb: SkBuff): number => {
      passed.count++;
      kfreeSkb(skb);
      return 0;
    },
  };
  return passed;
}

function registersOnce(make: () => NfHookRig): void {
  inHost(make, ({ net, ops }) => {
    check(ops.pf > 0 && ops.pf < NFPROTO_NUMPROTO && ops.hooknum >= 0 && ops.hooknum <= 7, 'there is no such hook');
    check((ops.priority | 0) === ops.priority, 'the priority is no int32');
    check(nfRegisterNetHook(net, ops) === 0, 'it cannot be registered');
    check(nfRegisterNetHook(net, ops) === -EBUSY, 'it is registered twice');
    check(nfUnregisterNetHook(net, ops) === 0, 'it cannot be unregistered');
    check(nfUnregisterNetHook(net, ops) === -ENOENT, 'it is still registered');
  });
}

function verdictsAreVerdicts(make: () => NfHookRig): void {
  inHost(make, ({ net, ops, packet }) => {
    const state = new NfHookState(net, counter().okfn);
    state.pf = ops.pf;
    state.hook = ops.hooknum;
    for (let i = 0; i < MANY; i++) {
      const skb = packet(i);
      state.indev = skb.dev;
      state.outdev = skb.dev;
      let verdict = ops.hook(ops.priv, skb, state);
      for (let n = 0; (verdict & NF_VERDICT_MASK) === NF_REPEAT; n++) {
        check(n < REPEATS, 'it says NF_REPEAT for ever');
        verdict = ops.hook(ops.priv, skb, state);
      }
      const kind = verdict & NF_VERDICT_MASK;
      check([NF_DROP, NF_ACCEPT, NF_STOLEN, NF_QUEUE].includes(kind), `${verdict} is no verdict`);
      if (kind !== NF_STOLEN) kfreeSkb(skb); // freed by the hook function too, it is an error of the pool
    }
  });
}

function passesOrEnds(make: () => NfHookRig): void {
  inHost(make, ({ net, ops, packet }) => {
    check(nfRegisterNetHook(net, ops) === 0, 'it cannot be registered');
    for (let i = 0; i < MANY; i++) {
      const skb = packet(i);
      const { dev } = skb;
      const passed = counter();
      const result = nfHook(ops.pf, ops.hooknum, skb, dev, dev, passed.okfn);
      check(passed.count === 0 || result === 0, 'an accepted packet came to okfn, and the result is not what that said');
      check(passed.count <= 1, 'a packet came to okfn twice');
    }
    check(nfUnregisterNetHook(net, ops) === 0, 'it cannot be unregistered');
  });
}

function goneIsGone(make: () => NfHookRig): void {
  inHost(make, ({ net, ops, packet }) => {
    nfRegisterNetHook(net, ops);
    nfUnregisterNetHook(net, ops);
    const passed = counter();
    const skb = packet(0);
    nfHook(ops.pf, ops.hooknum, skb, skb.dev, skb.dev, passed.okfn);
    check(passed.count === 1, 'a packet does not pass where nothing is registered any more');
  });
}

/** The rules. */
export const nfHookContract: readonly NfHookRule[] = [
  { name: 'it registers at a hook that there is, once', run: registersOnce },
  { name: 'it gives verdicts, and owns a packet only by NF_STOLEN', run: verdictsAreVerdicts },
  { name: 'through the hook a packet reaches okfn once, or is freed', run: passesOrEnds },
  { name: 'unregistered, it is never called again', run: goneIsGone },
];
