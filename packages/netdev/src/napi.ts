// NAPI: sources of received packets take turns in NET_RX_SOFTIRQ.
//
// A driver's interrupt handler calls napiSchedule(); netRxAction() polls each scheduled source for at most its weight,
// all together for at most sysctl net.core.netdev_budget packets; the driver's poll calls napiCompleteDone() when it has
// nothing left, and goes to the end of the list otherwise. The chapter's `dev->poll` is `napi.poll`.

import { NET_RX_SOFTIRQ, raiseSoftirq, softirqShare, softirqSpent, type Net } from '@stack/kernel';
import { groFlushAll } from './gro.ts';
import { NAPI_STATE_DISABLE, NAPI_STATE_MISSED, NAPI_STATE_SCHED, NapiStruct, type NetDevice } from './netdevice.ts';
import type { SoftnetData } from './softnet.ts';

/** Most packets that one poll hands up before others have their turn. */
export const NAPI_POLL_WEIGHT = 64;

/** A source of packets of `dev`, disabled until napiEnable(). `poll` handles at most `budget` packets and returns how many. */
export function netifNapiAdd(
  dev: NetDevice, poll: (napi: NapiStruct, budget: number) => number, weight: number = NAPI_POLL_WEIGHT,
): NapiStruct {
  return new NapiStruct(dev, poll, weight);
}

/** Allows scheduling (ndoOpen). */
export function napiEnable(napi: NapiStruct): void {
  napi.state = 0;
}

/** Forbids scheduling and takes it off the poll list (ndoStop). What GRO holds goes up. */
export function napiDisable(napi: NapiStruct): void {
  if ((napi.state & NAPI_STATE_SCHED) !== 0) pollListRemove(napi.dev.net.netdev.softnet, napi);
  groFlushAll(napi);
  napi.state = NAPI_STATE_DISABLE;
}

/** Whether the caller may schedule it: not if it is disabled, or scheduled already (then it will be polled once more). */
export function napiSchedulePrep(napi: NapiStruct): boolean {
  if ((napi.state & NAPI_STATE_DISABLE) !== 0) return false;
  if ((napi.state & NAPI_STATE_SCHED) !== 0) {
    napi.state |= NAPI_STATE_MISSED;
    return false;
  }
  napi.state |= NAPI_STATE_SCHED;
  return true;
}

/** Puts it on the poll list; the caller has had napiSchedulePrep() say true. */
export function __napiSchedule(napi: NapiStruct): void {
  const net = napi.dev.net;
  pollListAdd(net.netdev.softnet, napi);
  raiseSoftirq(net, NET_RX_SOFTIRQ);
}

/** Has `napi.poll` called in the next NET_RX_SOFTIRQ. Returns whether this call scheduled it. */
export function napiSchedule(napi: NapiStruct): boolean {
  if (!napiSchedulePrep(napi)) return false;
  __napiSchedule(napi);
  return true;
}

/**
 * Called by a poll that had less than its budget to do. Returns false if packets came in meanwhile:
 * it will be polled again, and the driver leaves its interrupts off.
 */
export function napiCompleteDone(napi: NapiStruct, _workDone: number): boolean {
  if (napi.groList.qlen !== 0) groFlushAll(napi);
  if ((napi.state & NAPI_STATE_MISSED) !== 0) {
    napi.state &= ~NAPI_STATE_MISSED;
    __napiSchedule(napi);
    return false;
  }
  napi.state &= ~NAPI_STATE_SCHED;
  return true;
}

/** napiCompleteDone() for a poll that does not count. */
export function napiComplete(napi: NapiStruct): boolean {
  return napiCompleteDone(napi, 0);
}

/** NET_RX_SOFTIRQ: polls the scheduled sources in turn until all are done or the budget is spent. */
export function netRxAction(net: Net): void {
  if (net.trace !== null) net.trace.hit(net, 'net_rx_action', null);
  const nn = net.netdev;
  const sd = nn.softnet;
  let budget = nn.sysctlNetdevBudget;
  // Those that are scheduled while this runs, or have more to do, come after all that were scheduled before.
  while (sd.pollFirst !== null) {
    if (budget <= 0 || softirqSpent(net.world)) {
      sd.timeSqueeze++;
      break;
    }
    budget -= napiPoll(sd, sd.pollFirst, softirqShare(net.world, sd.pollFirst.weight));
  }
  if (sd.pollFirst !== null) raiseSoftirq(net, NET_RX_SOFTIRQ);
}

function napiPoll(sd: SoftnetData, napi: NapiStruct, budget: number): number {
  sd.pollFirst = napi.next;
  if (sd.pollFirst === null) sd.pollLast = null;
  napi.next = null;
  const work = napi.poll(napi, budget);
  napi.polls++;
  napi.packets += work;
  if (work < budget) return work;
  if ((napi.state & NAPI_STATE_SCHED) !== 0) {
    groFlushAll(napi);
    pollListAdd(sd, napi);
  }
  return work;
}

function pollListAdd(sd: SoftnetData, napi: NapiStruct): void {
  napi.next = null;
  if (sd.pollLast === null) sd.pollFirst = napi;
  else sd.pollLast.next = napi;
  sd.pollLast = napi;
}

function pollListRemove(sd: SoftnetData, napi: NapiStruct): void {
  let prev: NapiStruct | null = null;
  for (let at = sd.pollFirst; at !== null; at = at.next) {
    if (at === napi) {
      if (prev === null) sd.pollFirst = at.next;
      else prev.next = at.next;
      if (sd.pollLast === at) sd.pollLast = prev;
      at.next = null;
      return;
    }
    prev = at;
  }
}
