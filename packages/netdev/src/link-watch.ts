// Carrier: what the driver knows of the link, and what follows from it.
//
// A driver calls netifCarrierOn() and netifCarrierOff(), at any time; the rest happens in process context soon after:
// the operational state changes (RFC 2863), the qdisc goes live or dead, notifiers hear NETDEV_CHANGE.

import { Work, scheduleWork } from '@stack/kernel';
import { IFF_LOOPBACK, IFF_RUNNING, IFF_UP, IFF_LOWER_UP, IF_OPER_DOWN, IF_OPER_UP, IF_OPER_UNKNOWN } from './if.ts';
import {
  LINK_STATE_LINKWATCH_PENDING, LINK_STATE_NOCARRIER, LINK_STATE_XOFF, NETREG_REGISTERED, QDISC_STATE_DEACTIVATED,
  type NetDevice, type Qdisc,
} from './netdevice.ts';
import { NETDEV_CHANGE, callNetdeviceNotifiers } from './notifier.ts';
import { noopQdiscOps, noqueueQdiscOps, pfifoFastOps, qdiscLookupOps } from './sch-fifo.ts';
import { qdiscCreate, qdiscDestroy, qdiscReset } from './sch-generic.ts';

/** Whether the driver says that the link is there. */
export function netifCarrierOk(dev: NetDevice): boolean {
  return (dev.state & LINK_STATE_NOCARRIER) === 0;
}

/** The link is there. */
export function netifCarrierOn(dev: NetDevice): void {
  if ((dev.state & LINK_STATE_NOCARRIER) === 0) return;
  dev.state &= ~LINK_STATE_NOCARRIER;
  linkwatchFireEvent(dev);
}

/** The link has gone. */
export function netifCarrierOff(dev: NetDevice): void {
  if ((dev.state & LINK_STATE_NOCARRIER) !== 0) return;
  dev.state |= LINK_STATE_NOCARRIER;
  linkwatchFireEvent(dev);
}

function linkwatchFireEvent(dev: NetDevice): void {
  if (dev.regState !== NETREG_REGISTERED) return;
  dev.carrierChanges++;
  if ((dev.state & LINK_STATE_LINKWATCH_PENDING) !== 0) return;
  dev.state |= LINK_STATE_LINKWATCH_PENDING;
  scheduleWork(new Work(dev.net, linkwatchDoDev, dev));
}

function linkwatchDoDev(work: Work): void {
  const dev = work.data as NetDevice;
  if ((dev.state & LINK_STATE_LINKWATCH_PENDING) === 0) return;
  dev.state &= ~LINK_STATE_LINKWATCH_PENDING;
  const before = dev.operstate;
  rfc2863Policy(dev);
  if ((dev.flags & IFF_UP) === 0) return;
  if (netifCarrierOk(dev)) devActivate(dev);
  else devDeactivate(dev);
  if (before !== dev.operstate) callNetdeviceNotifiers(NETDEV_CHANGE, dev);
}

/** The device goes: a pending event has nothing to say any more. */
export function linkwatchCancel(dev: NetDevice): void {
  dev.state &= ~LINK_STATE_LINKWATCH_PENDING;
}

/** At registration: a device that has no carrier is DOWN; one that has stays UNKNOWN until its link first changes. */
export function linkwatchInitDev(dev: NetDevice): void {
  if (!netifCarrierOk(dev)) rfc2863Policy(dev);
}

/** Sets the operational state from the carrier. */
function rfc2863Policy(dev: NetDevice): void {
  dev.operstate = netifCarrierOk(dev) ? IF_OPER_UP : IF_OPER_DOWN;
}

/** Whether the device can carry packets: operational state UP, or never reported. */
export function netifOperUp(dev: NetDevice): boolean {
  return dev.operstate === IF_OPER_UP || dev.operstate === IF_OPER_UNKNOWN;
}

/** The flags a user sees: those set, and IFF_RUNNING and IFF_LOWER_UP from the link. */
export function devGetFlags(dev: NetDevice): number {
  let flags = dev.flags;
  if ((flags & IFF_UP) !== 0) {
    if (netifOperUp(dev)) flags |= IFF_RUNNING;
    if (netifCarrierOk(dev)) flags |= IFF_LOWER_UP;
  }
  return flags;
}

/** Puts the device's qdisc (made now if there is none yet) in force. Called when it is up and has carrier. */
export function devActivate(dev: NetDevice): void {
  if (dev.qdiscSleeping.ops === noopQdiscOps) dev.qdiscSleeping = attachDefaultQdisc(dev);
  if (!netifCarrierOk(dev)) return;
  dev.qdiscSleeping.state &= ~QDISC_STATE_DEACTIVATED;
  dev.qdisc = dev.qdiscSleeping;
}

/** The default discipline; none for devices without a queue. */
function attachDefaultQdisc(dev: NetDevice): Qdisc {
  const noqueue = dev.txQueueLen === 0 || (dev.flags & IFF_LOOPBACK) !== 0;
  const wanted = noqueue ? noqueueQdiscOps : qdiscLookupOps(dev.net, dev.net.netdev.sysctlDefaultQdisc);
  return qdiscCreate(wanted ?? pfifoFastOps, dev) ?? dev.noopQdisc;
}

/** Takes the qdisc out of force and frees what it has queued: from now on packets for the device are dropped. */
export function devDeactivate(dev: NetDevice): void {
  const q = dev.qdisc;
  dev.qdisc = dev.noopQdisc;
  if (q === dev.noopQdisc) return;
  q.state |= QDISC_STATE_DEACTIVATED;
  qdiscReset(q);
}

/** Frees the device's qdisc (unregistration). */
export function devDestroyScheduler(dev: NetDevice): void {
  const q = dev.qdiscSleeping;
  dev.qdisc = dev.noopQdisc;
  dev.qdiscSleeping = dev.noopQdisc;
  if (q !== dev.noopQdisc) qdiscDestroy(q);
}

/** Puts `q` in the place of the device's qdisc, which is freed with what it holds (`tc qdisc replace`). */
export function devGraftQdisc(dev: NetDevice, q: Qdisc): void {
  const old = dev.qdiscSleeping;
  const live = dev.qdisc !== dev.noopQdisc;
  dev.qdiscSleeping = q;
  if (live) dev.qdisc = q;
  if (old === dev.noopQdisc) return;
  old.state |= QDISC_STATE_DEACTIVATED;
  qdiscDestroy(old);
}

/** Whether the driver has stopped its queue or the link is gone. */
export function netifXmitStopped(dev: NetDevice): boolean {
  return (dev.state & (LINK_STATE_XOFF | LINK_STATE_NOCARRIER)) !== 0;
}
