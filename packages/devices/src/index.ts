// @stack/devices: network devices without a wire of their own.

// Bridge
export { brAddBridge, brAddIf, brDelIf, brSetPortFlags, netifIsBridgeMaster, netifIsBridgePort, type BridgeOptions } from './br-if.ts';
export { BR_FDB_MAX_LEARNED, brFdbFlush, brFdbShow, type FdbRow } from './br-fdb.ts';
export {
  BR_BCAST_FLOOD, BR_FLOOD, BR_HAIRPIN_MODE, BR_ISOLATED, BR_LEARNING, BR_MCAST_FLOOD, BR_STATE_DISABLED,
  BR_STATE_FORWARDING, BrFdbEntry, NetBridge, NetBridgePort, brPortGet, netdevPriv,
} from './br-private.ts';

// VLAN
export { isVlanDev, vlanAdd, vlanDevSetEgressPriority, vlanDevSetIngressPriority, type VlanOptions } from './vlan.ts';

// veth
export { VETH_RING_SIZE, createVeth, createVethPair, vethConnect, type VethOptions } from './veth.ts';

// TUN
export { createTun, tunGiveUp, tunListen, tunRead, tunReadable, tunWaiter, tunWrite, type TunOptions } from './tun.ts';

// Devices that wrap another
export { WrapPriv, wrapDevice, type WrapOps } from './wrap.ts';
export { FaultStats, createFaultInjector, faultStats, type FaultOptions, type FaultRates } from './wrap-fault.ts';
export { createTapWrapper, formatFrame, type FrameSink, type TappedFrame } from './wrap-tap.ts';
