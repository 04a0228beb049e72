/*
 * A NIC whose wire is a pair of web streams, or a MessagePort: one chunk, one Ethernet frame. What a guest in a page, a
 * tunnel or a worker yields becomes a network device here.
 *
 * Down: devQueueXmit -> frameStartXmit -> the writable. Up: the readable -> frameReceive -> netifRx -> process_backlog.
 * A frame is copied once each way, since it leaves the World's memory. A writable that is full stops the queue until it
 * has room again.
 */
import { interrupt, type Net } from '@stack/kernel';
import { consumeSkb, skbCopyBits, skbPut, type SkBuff } from '@stack/skbuff';
import {
  NETDEV_TX_OK, allocNetdev, devAddrSet, ethHwAddrRandom, ethTypeTrans, etherSetup, netdevAllocSkb, netifCarrierOff, netifRx,
  netifRunning, netifStopQueue, netifWakeQueue, type NetDevice, type NetDeviceOps,
} from '@stack/netdev';

/** Octets that a frame may have beyond header and MTU: one VLAN tag. */
const VLAN_HLEN = 4;

/** Where frames go to and come from. */
export interface FrameWire {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

export interface FrameNicOptions {
  /** Default `eth%d`. */
  readonly name?: string;
  /** Six octets; default a random, locally administered address. */
  readonly mac?: Uint8Array;
  /** Default 1500. */
  readonly mtu?: number;
}

/** The driver's part of the device. */
class FramePriv {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(wire: FrameWire) {
    this.reader = wire.readable.getReader();
    this.writer = wire.writable.getWriter();
  }
}

const frameNetdevOps: NetDeviceOps = {
  ndoInit: null,
  ndoUninit: frameUninit,
  ndoOpen: null,
  ndoStop: null,
  ndoStartXmit: frameStartXmit,
  ndoSetRxMode: null,
  ndoChangeMtu: null,
  ndoSetMacAddress: null,
  ndoFixFeatures: null,
  ndoSetFeatures: null,
  ndoFeaturesCheck: null,
};

/** Makes a NIC on `wire`, whose two streams it locks. Not yet registered. When the streams end, the carrier is lost. */
export function createFrameNic(net: Net, wire: FrameWire, options: FrameNicOptions = {}): NetDevice {
  const priv = new FramePriv(wire);
  const dev = allocNetdev(net, options.name ?? 'eth%d', frameNetdevOps, etherSetup, priv);
  if (options.mac === undefined) ethHwAddrRandom(dev);
  else devAddrSet(dev, options.mac);
  if (options.mtu !== undefined) dev.mtu = options.mtu;
  void receiveLoop(dev, priv);
  return dev;
}

/** A MessagePort as a wire: each message is one frame, its buffer transferred to the other side. */
export function messagePortWire(port: MessagePort): FrameWire {
  return {
    readable: new ReadableStream<Uint8Array>({
      start(controller) {
        port.onmessage = (event: MessageEvent<Uint8Array>) => controller.enqueue(event.data);
      },
      cancel: () => {
        port.onmessage = null;
        port.close();
      },
    }),
    writable: new WritableStream<Uint8Array>({
      write: (frame) => port.postMessage(frame, [frame.buffer as ArrayBuffer]),
      close: () => port.close(),
      abort: () => port.close(),
    }),
  };
}

async function receiveLoop(dev: NetDevice, priv: FramePriv): Promise<void> {
  try {
    for (;;) {
      const { done, value } = await priv.reader.read();
      if (done) break;
      interrupt(dev.net, frameReceive, { dev, frame: value });
    }
  } catch {
    dev.stats.rxErrors++;
  }
  interrupt(dev.net, netifCarrierOff, dev);
}

/** A frame has arrived: makes an sk_buff of it and queues it to the backlog. The frame stays the caller's. */
function frameReceive({ dev, frame }: { dev: NetDevice; frame: Uint8Array }): void {
  if (!netifRunning(dev)) return;
  if (frame.length < dev.hardHeaderLen || frame.length > dev.mtu + dev.hardHeaderLen + VLAN_HLEN) {
    dev.stats.rxErrors++;
    dev.stats.rxLengthErrors++;
    return;
  }
  const skb = netdevAllocSkb(dev, frame.length);
  if (skb === null) {
    dev.stats.rxDropped++;
    return;
  }
  skb.buf.set(frame, skbPut(skb, frame.length));
  dev.stats.rxPackets++;
  dev.stats.rxBytes += frame.length;
  skb.protocol = ethTypeTrans(skb, dev);
  netifRx(skb);
}

/** ndo_start_xmit: copies the frame out and frees the sk_buff. */
function frameStartXmit(skb: SkBuff, dev: NetDevice): number {
  const { writer } = dev.priv as FramePriv;
  const frame = new Uint8Array(skb.len);
  skbCopyBits(skb, 0, frame, 0, skb.len);
  consumeSkb(skb);
  dev.stats.txPackets++;
  dev.stats.txBytes += frame.length;
  writer.write(frame).catch(() => dev.stats.txErrors++);
  if ((writer.desiredSize ?? 0) <= 0) {
    netifStopQueue(dev);
    writer.ready.then(() => interrupt(dev.net, netifWakeQueue, dev), () => undefined);
  }
  return NETDEV_TX_OK;
}

/** Lets go of both streams: their other ends see them close. */
function frameUninit(dev: NetDevice): void {
  const { reader, writer } = dev.priv as FramePriv;
  void reader.cancel().catch(() => undefined);
  void writer.close().catch(() => undefined);
}
