// What a stacked device asks of the one below it: the groups, IFF_ALLMULTI and IFF_PROMISC that its own users asked of it
// (the kernel's dev_mc_sync and ndo_change_rx_flags).

import {
  IFF_ALLMULTI, IFF_PROMISC, devMcAdd, devMcDel, devMcHas, devSetAllmulti, devSetPromiscuity, type NetDevice,
} from '@stack/netdev';

/** What has been asked of the lower device so far. */
export class RxModeSync {
  mc: Uint8Array[];
  flags: number;

  constructor() {
    this.mc = [];
    this.flags = 0;
  }
}

/** Has `lower` listen to what `upper` listens to. */
export function rxModeSync(sync: RxModeSync, upper: NetDevice, lower: NetDevice): void {
  setFlags(sync, lower, upper.flags & (IFF_ALLMULTI | IFF_PROMISC));
  const gone = sync.mc.filter((addr) => !devMcHas(upper, addr));
  for (const addr of gone) devMcDel(lower, addr);
  sync.mc = sync.mc.filter((addr) => !gone.includes(addr));
  for (let ha = upper.mc; ha !== null; ha = ha.next) {
    const { addr } = ha;
    if (sync.mc.some((other) => other.every((octet, i) => octet === addr[i]))) continue;
    devMcAdd(lower, addr);
    sync.mc.push(addr);
  }
}

/** Undoes all of it: the upper device goes down. */
export function rxModeUnsync(sync: RxModeSync, lower: NetDevice): void {
  setFlags(sync, lower, 0);
  for (const addr of sync.mc) devMcDel(lower, addr);
  sync.mc = [];
}

function setFlags(sync: RxModeSync, lower: NetDevice, flags: number): void {
  const changed = sync.flags ^ flags;
  sync.flags = flags;
  if ((changed & IFF_ALLMULTI) !== 0) devSetAllmulti(lower, (flags & IFF_ALLMULTI) !== 0 ? 1 : -1);
  if ((changed & IFF_PROMISC) !== 0) devSetPromiscuity(lower, (flags & IFF_PROMISC) !== 0 ? 1 : -1);
}
