/*
 * The runner's own network device: bare IP packets on a link without ARP that offers segmentation and checksums, as the
 * TUN device does that packetdrill uses on Linux. What the host sends is kept with its time.
 */
import { interrupt, worldCrossing, type Net } from '@stack/kernel';
import {
  allocNetdev, ARPHRD_NONE, ETH_P_IP, IFF_MULTICAST, IFF_NOARP, IFF_POINTOPOINT, NETDEV_TX_OK, netdevAllocSkb, NETIF_F_HW_CSUM, NETIF_F_RXCSUM,
  NETIF_F_SG, NETIF_F_TSO, NETIF_F_TSO_ECN, netifReceiveSkb, netifStartQueue, netifStopQueue, PACKET_HOST, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';
import { __skbPut, consumeSkb, SKB_GSO_DODGY, SKB_GSO_TCPV4, skbCopyBits, skbResetMacHeader, type SkBuff } from '@stack/skbuff';
import { tcpHeaders } from './wire.ts';

/** A packet that the host sent: its octets from the IP header on, and World time in ns. */
export interface Sent {
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** What the device knows. */
export class ScriptNic {
  readonly dev: NetDevice;
  readonly sent: Sent[];
  /** Called once when the next packet is sent. */
  waiting: (() => void) | null;

  constructor(net: Net, name: string) {
    this.dev = allocNetdev(net, name, scriptNicOps, setup, this);
    this.sent = [];
    this.waiting = null;
  }
}

function setup(dev: NetDevice): void {
  dev.type = ARPHRD_NONE;
  dev.mtu = 1500;
  dev.minMtu = 68;
  dev.maxMtu = 65535;
  dev.flags |= IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
  dev.hwFeatures = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO_ECN;
  dev.features = dev.hwFeatures | NETIF_F_RXCSUM;
}

function open(dev: NetDevice): number {
  netifStartQueue(dev);
  return 0;
}

function stop(dev: NetDevice): number {
  netifStopQueue(dev);
  return 0;
}

function startXmit(skb: SkBuff, dev: NetDevice): number {
  const nic = dev.priv as ScriptNic;
  const bytes = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, bytes, 0, skb.len);
  nic.sent.push({ time: dev.net.world.now, bytes });
  const { waiting } = nic;
  nic.waiting = null;
  if (waiting !== null) {
    worldCrossing(dev.net.world);
    waiting();
  }
  consumeSkb(skb);
  return NETDEV_TX_OK;
}

const scriptNicOps: NetDeviceOps = {
  ndoInit: null, ndoUninit: null, ndoOpen: open, ndoStop: stop, ndoStartXmit: startXmit, ndoSetRxMode: null, ndoChangeMtu: null,
  ndoSetMacAddress: null, ndoFixFeatures: null, ndoSetFeatures: null, ndoFeaturesCheck: null,
};

/* What a packet counts for in receive buffers is what Linux's TUN device makes of it (6.18, x86-64): a head out of kmalloc, a page at most, and pages. */
const TUN_PAD = 64;
const SHARED_INFO = 320;
const SK_BUFF = 256;
const SMALL_HEAD = 576;
const PAGE = 4096;
/** Octets that a head of a page holds. */
const PAGE_HEAD = PAGE - TUN_PAD - SHARED_INFO;

/** Octets of the head of a packet of `len`. */
function tunHead(len: number): number {
  const size = ((TUN_PAD + len + 63) & ~63) + SHARED_INFO;
  if (size > PAGE) return PAGE;
  return size <= SMALL_HEAD ? SMALL_HEAD : 1 << (32 - Math.clz32(size - 1));
}

/** Hands the host a packet that begins with its IP header; one with more text than `mss`, if that is not 0, as GRO hands up segments. */
export function nicReceive(nic: ScriptNic, bytes: Uint8Array, mss: number): void {
  const { dev } = nic;
  const head = tunHead(bytes.length);
  const skb = netdevAllocSkb(dev, Math.max(bytes.length, head - TUN_PAD - SHARED_INFO));
  if (skb === null) throw new Error('no memory for a packet');
  skb.truesize = SK_BUFF + head + Math.ceil(Math.max(bytes.length - PAGE_HEAD, 0) / PAGE) * PAGE;
  skb.headFrag = false;
  skb.buf.set(bytes, __skbPut(skb, bytes.length));
  skb.protocol = ETH_P_IP;
  skb.pktType = PACKET_HOST;
  const text = bytes.length - tcpHeaders(bytes);
  if (mss > 0 && text > mss && text < bytes.length) {
    skb.shinfo.gsoSize = mss;
    // How many there are is not said, as by TUN.
    skb.shinfo.gsoType = SKB_GSO_TCPV4 | SKB_GSO_DODGY;
  }
  skbResetMacHeader(skb);
  interrupt(dev.net, receive, skb);
}

function receive(skb: SkBuff): void {
  netifReceiveSkb(skb);
}
