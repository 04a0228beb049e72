// A host of ours on one end of a TAP, Linux in a network namespace on the other, and a capture of all that passes between them.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assertNothingOpen, createHost, type Host, type HostOptions } from '@stack/host';
import { createWorld } from '@stack/kernel';
import { realClock } from '@stack/kernel/real-clock';
import { devSetMtu, type NetDevice } from '@stack/netdev';
import { openTap } from '@stack/nic-tap';
import { capture, createPcapngWriter, stopCapture } from '@stack/pcap';
import { createNetns, deleteNetns, plug, type Netns } from './netns.ts';
import { wrongFrames } from './tshark.ts';
import { root } from './workspace.ts';

/** Linux's address, and ours. */
export const PEER = '10.99.0.1';
export const OURS = '10.99.0.2';
export const OUR_MAC = '02:53:54:00:00:01';

export interface RealOptions extends Omit<HostOptions, 'world' | 'nics'> {
  /** Both ends' MTU; default 1500. */
  readonly mtu?: number;
  /** Whether checksums and segmentation are left to the other side; default true. */
  readonly offloads?: boolean;
  /** The capture ends after so many octets; default 256 MiB. */
  readonly captureLimit?: number;
  /** Whether the pool notes who made each sk_buff; default true. It costs more than all the rest. */
  readonly debug?: boolean;
  /** Whether tshark judges our frames alone: what the other side sends is wrong on purpose. */
  readonly onlyOurs?: boolean;
  /** Linux's address and ours, each with its prefix length. */
  readonly addresses?: readonly [peer: string, ours: string];
}

export interface RealHost {
  readonly host: Host;
  readonly dev: NetDevice;
  readonly ns: Netns;
  /** The capture: kept in .cache/real for whoever looks into a failure. */
  readonly file: string;
  /** How many frames of the capture are wrong on purpose; 0 unless a test sets it. */
  expectWrong: number;
  /** Ends the host; fails if it leaves anything open, or if tshark finds a fault in the capture. */
  readonly close: () => Promise<void>;
}

/** A pcapng file of `dev` that ends after `limit` octets. Returns what closes it. */
function captureTo(file: string, dev: NetDevice, limit: number): () => void {
  const fd = openSync(file, 'w');
  let room = limit;
  const writer = createPcapngWriter((chunk) => {
    room -= writeSync(fd, chunk);
    if (room < 0) stopCapture(tap);
  });
  const tap = capture(dev, writer);
  return () => {
    stopCapture(tap);
    closeSync(fd);
  };
}

/** Builds it. `purpose` names namespace and capture; a failure takes down what stands already. */
export function realHost(purpose: string, options: RealOptions = {}): RealHost {
  const { mtu = 1500, offloads = true, captureLimit = 256 << 20, debug = true, onlyOurs = false, addresses = [`${PEER}/24`, `${OURS}/24`], ...rest } = options;
  const directory = join(root, '.cache', 'real');
  mkdirSync(directory, { recursive: true });
  const short = purpose.replace(/\W+/g, '-');
  const file = join(directory, `${short}.pcapng`);
  const world = createWorld({ clock: realClock(), debug });
  const ns = createNetns(short);
  const host = createHost({ ...rest, world, name: rest.name ?? 'ours' });
  try {
    const mac = Uint8Array.from(OUR_MAC.split(':'), (octet) => parseInt(octet, 16));
    const dev = openTap(host.net, { name: `st${process.pid}t%d`.slice(-15), mac, offloads });
    if (mtu !== dev.mtu) devSetMtu(dev, mtu);
    plug(ns, dev.name, addresses[0], mtu);
    const endCapture = captureTo(file, dev, captureLimit);
    host.addNic({ device: dev, address: addresses[1] });
    const real: RealHost = {
      host, dev, ns, file, expectWrong: 0,
      close: async () => {
        endCapture();
        const { panicked } = host.net;
        await host.close();
        deleteNetns(ns);
        if (panicked !== null) throw panicked;
        assertNothingOpen(world);
        const wrong = wrongFrames(file, offloads, onlyOurs ? OUR_MAC : '');
        if (wrong.length !== real.expectWrong) throw new Error(`${file}: tshark finds ${wrong.length} frames wrong:\n${wrong.slice(0, 20).join('\n')}`);
      },
    };
    return real;
  } catch (error) {
    void host.close();
    deleteNetns(ns);
    throw error;
  }
}
