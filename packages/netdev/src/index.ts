// @stack/netdev: network devices, from dev_queue_xmit down to a driver and from a driver up to netif_receive_skb.

// Structs and the tables of functions
export {
  HH_DATA_MAX, LINK_STATE_DORMANT, LINK_STATE_LINKWATCH_PENDING, LINK_STATE_NOCARRIER, LINK_STATE_PRESENT,
  LINK_STATE_START, LINK_STATE_XOFF, NAPI_STATE_DISABLE, NAPI_STATE_MISSED, NAPI_STATE_SCHED, NETDEV_TX_BUSY,
  NETDEV_TX_OK, NETREG_REGISTERED, NETREG_UNINITIALIZED, NETREG_UNREGISTERED, NapiStruct, NetDevice, NetdevHwAddr,
  QDISC_STATE_DEACTIVATED, QDISC_STATE_RUNNING, QDISC_STATE_SCHED, Qdisc, RX_HANDLER_ANOTHER, RX_HANDLER_CONSUMED,
  RX_HANDLER_EXACT, RX_HANDLER_PASS, TCQ_F_CAN_BYPASS, type DevLinks, type DevLink, type NetDeviceOps,
  type HardwareHeader, type HeaderOps, type PacketType, type PacketOffload, type NotifierBlock, type QdiscOps,
} from './netdevice.ts';
export { NetDeviceStats } from './netdev-stats.ts';
export { NetnsNetdev, PTYPE_HASH_MASK, PTYPE_HASH_SIZE, SoftnetData } from './softnet.ts';

// A device and its life
export { installNetdev } from './install.ts';
export {
  allocNetdev, devClose, devGetByIndex, devGetByName, devOpen, netifRunning, registerNetdevice, unregisterNetdevice,
} from './dev.ts';
export {
  devChangeFlags, devChangeName, devChangeTxQueueLen, devReplaceQdisc, devSetAllmulti, devSetMacAddress, devSetMtu,
  devSetPromiscuity,
} from './dev-config.ts';
export { devAddrSet, devMcAdd, devMcDel, devMcHas, devSetRxMode } from './dev-addr.ts';
export { netdevFixFeatures, netdevSetFeatures, netdevUpdateFeatures } from './features.ts';
export {
  devActivate, devDeactivate, devDestroyScheduler, devGetFlags, devGraftQdisc, linkwatchCancel, linkwatchInitDev,
  netifCarrierOff, netifCarrierOk, netifCarrierOn, netifOperUp, netifXmitStopped,
} from './link-watch.ts';
export {
  NETDEV_CHANGE, NETDEV_CHANGEADDR, NETDEV_CHANGEMTU, NETDEV_CHANGENAME, NETDEV_CHANGE_TX_QUEUE_LEN, NETDEV_DOWN,
  NETDEV_FEAT_CHANGE, NETDEV_GOING_DOWN, NETDEV_PRECHANGEMTU, NETDEV_PRE_CHANGEADDR, NETDEV_PRE_UP, NETDEV_REBOOT,
  NETDEV_REGISTER, NETDEV_UNREGISTER, NETDEV_UP, callNetdeviceNotifiers, registerNetdeviceNotifier,
  unregisterNetdeviceNotifier,
} from './notifier.ts';
export { allocLoopback, loopbackOps } from './loopback.ts';

// Sending
export { devQueueXmit } from './dev-xmit.ts';
export { devHardStartXmit, devQueueXmitNit } from './dev-hard-xmit.ts';
export {
  netifNeedsGso, netifSkbFeatures, skbCsumHwoffloadHelp, skbGsoSegment, validateXmitSkb, validateXmitSkbList,
} from './dev-gso.ts';
export {
  netTxAction, netifQueueStopped, netifSchedule, netifStartQueue, netifStopQueue, netifWakeQueue, qdiscBstatsUpdate,
  qdiscCreate, qdiscDestroy, qdiscDrop, qdiscEnqueueRoot, qdiscReset, qdiscRun, qdiscRunBegin, qdiscRunEnd,
  schDirectXmit,
} from './sch-generic.ts';
export { fqChange, fqOps, type FqOptions, type PacedSock } from './sch-fq.ts';
export {
  PFIFO_FAST_BANDS, noopQdiscOps, noqueueQdiscOps, pfifoFastOps, pfifoOps, prio2band, qdiscLookupOps, registerQdisc,
} from './sch-fifo.ts';

// Receiving
export {
  netDisableTimestamp, netEnableTimestamp, netdevRxHandlerRegister, netdevRxHandlerUnregister, netifReceiveSkb,
} from './dev-receive.ts';
export { flushBacklog, netifRx, processBacklog } from './dev-backlog.ts';
export {
  NAPI_POLL_WEIGHT, __napiSchedule, napiComplete, napiCompleteDone, napiDisable, napiEnable, napiSchedule,
  napiSchedulePrep, netRxAction, netifNapiAdd,
} from './napi.ts';
export { GRO_HELD, GRO_MERGED, GRO_NORMAL, groFlushAll, napiGroReceive } from './gro.ts';
export { vlanDoReceive, vlanFindDev } from './vlan-core.ts';
export { devAddOffload, devAddPack, devRemoveOffload, devRemovePack, findOffload, ptypeHash } from './ptype.ts';

// Ethernet and what is between packets and devices
export {
  ethHeader, ethHeaderCache, ethHeaderCacheUpdate, ethHeaderOps, ethHeaderOpsNoCache, ethHeaderParse, ethHwAddrRandom,
  ethMacAddr, ethRandomAddr, ethTypeTrans, etherSetup, isValidEtherAddr,
} from './eth.ts';
export {
  NET_IP_ALIGN, NET_SKB_PAD, devHardHeader, devParseHeader, llReservedSpace, netdevAllocSkb, netdevAllocSkbIpAlign,
  skbPutPadto,
} from './skb-dev.ts';

// VLAN tags
export {
  VLAN_CFI_MASK, VLAN_ETH_HLEN, VLAN_HLEN, VLAN_PRIO_MASK, VLAN_PRIO_SHIFT, VLAN_VID_MASK, VlanDevPriv, VlanInfo,
  __vlanHwaccelPutTag, ethTypeVlan, skbNetworkProtocol, skbVlanUntag, vlanHwaccelClearTag, vlanHwaccelPushInside,
  vlanHwaccelPutTag, vlanTapClone,
} from './if-vlan.ts';

// Constants
export {
  IFF_ALLMULTI, IFF_AUTOMEDIA, IFF_BROADCAST, IFF_DEBUG, IFF_DORMANT, IFF_DYNAMIC, IFF_ECHO, IFF_LOOPBACK,
  IFF_LOWER_UP, IFF_MASTER, IFF_MULTICAST, IFF_NOARP, IFF_NOTRAILERS, IFF_POINTOPOINT, IFF_PORTSEL, IFF_PROMISC,
  IFF_RUNNING, IFF_SLAVE, IFF_UP, IFNAMSIZ, IF_OPER_DORMANT, IF_OPER_DOWN, IF_OPER_LOWERLAYERDOWN, IF_OPER_NOTPRESENT,
  IF_OPER_TESTING, IF_OPER_UNKNOWN, IF_OPER_UP, devValidName,
} from './if.ts';
export { ARPHRD_ETHER, ARPHRD_IEEE802, ARPHRD_LOOPBACK, ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_VOID } from './if-arp.ts';
export {
  ETH_ALEN, ETH_DATA_LEN, ETH_DEST, ETH_FCS_LEN, ETH_FRAME_LEN, ETH_HLEN, ETH_MAX_MTU, ETH_MIN_MTU, ETH_P_8021AD,
  ETH_P_8021Q, ETH_P_802_2, ETH_P_802_3, ETH_P_802_3_MIN, ETH_P_ALL, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_LOOP,
  ETH_P_LOOPBACK, ETH_P_RARP, ETH_P_TEB, ETH_SOURCE, ETH_TYPE, ETH_ZLEN,
} from './if-ether.ts';
export {
  PACKET_BROADCAST, PACKET_HOST, PACKET_LOOPBACK, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_OUTGOING,
} from './if-packet.ts';
export {
  NETIF_F_ALL_TSO, NETIF_F_CSUM_MASK, NETIF_F_FRAGLIST, NETIF_F_GRO, NETIF_F_GSO, NETIF_F_GSO_MASK, NETIF_F_GSO_ROBUST,
  NETIF_F_GSO_SOFTWARE, NETIF_F_GSO_UDP_L4, NETIF_F_HIGHDMA, NETIF_F_HW_CSUM, NETIF_F_HW_VLAN_CTAG_FILTER,
  NETIF_F_HW_VLAN_CTAG_RX, NETIF_F_HW_VLAN_CTAG_TX, NETIF_F_IPV6_CSUM, NETIF_F_IP_CSUM, NETIF_F_LOOPBACK,
  NETIF_F_RXALL, NETIF_F_RXCSUM, NETIF_F_RXFCS, NETIF_F_SG, NETIF_F_TSO, NETIF_F_TSO6, NETIF_F_TSO_ECN,
  NETIF_F_TSO_MANGLEID, netdevFeatureNames,
} from './netdev-features.ts';
