// Captures of whole hosts as tshark reads them: offloads leave checksums and segments undone in the stack, and none of it shows.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createWorld, type World } from '@stack/kernel';
import { createHost, virtioOn, type Host } from '@stack/host';
import { createSwitch } from '@stack/nic-virtio-sim';
import { EPB_DATA, capture, createPcapngWriter, type PcapngWriter } from '@stack/pcap';
import type { SkBuff } from '@stack/skbuff';
import { describe, expect, test } from 'vitest';
import { frames, missingTshark, wrongFrames } from './support/tshark.ts';
import { root } from './support/workspace.ts';

const OCTETS = 300_000;

interface Lan {
  world: World;
  a: Host;
  b: Host;
  chunks: Uint8Array[];
  writer: PcapngWriter;
  /** Octets of the largest packet that the captures met. */
  largest: number;
}

/** Two hosts on a switch, everything that their NICs see captured into one file. */
function makeLan(): Lan {
  const world = createWorld({ seed: 1, debug: true });
  const lan = createSwitch(world);
  const a = createHost({ world, name: 'a', nics: [{ device: virtioOn(lan), address: '10.0.0.1/24' }] });
  const b = createHost({ world, name: 'b', nics: [{ device: virtioOn(lan), address: '10.0.0.2/24' }] });
  const chunks: Uint8Array[] = [];
  const writer = createPcapngWriter((chunk) => chunks.push(chunk));
  const made: Lan = { world, a, b, chunks, writer, largest: 0 };
  const note = (skb: SkBuff): null => {
    made.largest = Math.max(made.largest, skb.len);
    return null;
  };
  for (const { net } of [a, b]) for (const dev of net.netdev.devList) capture(dev, writer, { comment: note });
  return made;
}

async function transfer({ a, b }: Lan): Promise<number> {
  const listener = a.listen({ port: 7 });
  const connection = await b.connect({ host: '10.0.0.1', port: 7 });
  const sending = (async () => {
    const writer = connection.writable.getWriter();
    await writer.write(new Uint8Array(OCTETS).fill(0x5a));
    await writer.close();
  })();
  let received = 0;
  for await (const accepted of listener) {
    for await (const chunk of accepted.readable) received += chunk.length;
    accepted.close();
    break;
  }
  await sending;
  connection.close();
  return received;
}

async function write(name: string, lan: Lan): Promise<string> {
  await lan.a.close();
  await lan.b.close();
  const folder = join(root, '.cache', 'captures');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, Buffer.concat(lan.chunks));
  return file;
}

describe.skipIf(missingTshark !== '')('tshark reads a capture', () => {
  test('with nothing wrong in it, though the NICs offload checksums and segmentation', async () => {
    const lan = makeLan();
    expect(await transfer(lan)).toBe(OCTETS);
    const file = await write('offloads.pcapng', lan);
    expect(lan.largest).toBeGreaterThan(3000);
    expect(wrongFrames(file)).toEqual([]);
    const lengths = frames(file, 'tcp', 'frame.len').map(([length]) => Number(length));
    expect(Math.max(...lengths)).toBe(1514);
    expect(frames(file, 'tcp.checksum.status == 2', 'frame.number')).toEqual([]); // 2: not verified
  });

  test('with all interfaces by name, all octets of the stream, ARP and the handshake in order', async () => {
    const lan = makeLan();
    await transfer(lan);
    const file = await write('stream.pcapng', lan);
    expect(new Set(frames(file, 'frame', 'frame.interface_name').flat())).toEqual(new Set(['a/eth0', 'b/eth0']));
    const sent = frames(file, 'frame.interface_name == "b/eth0" && ip.src == 10.0.0.2 && tcp', 'tcp.len').map(([length]) => Number(length));
    expect(sent.reduce((sum, length) => sum + length, 0)).toBe(OCTETS);
    const kinds = frames(file, 'frame.interface_name == "b/eth0"', '_ws.col.Protocol', 'tcp.flags.str').slice(0, 4).map(([protocol]) => protocol);
    expect(kinds).toEqual(['ARP', 'ARP', 'TCP', 'TCP']);
  });

  test('and finds the one frame that is wrong', async () => {
    const lan = makeLan();
    await transfer(lan);
    const victim = lan.chunks.filter((chunk) => chunk.length > 1514)[10]!;
    victim[EPB_DATA + 700]! ^= 0x10;
    const file = await write('corrupted.pcapng', lan);
    expect(wrongFrames(file)).toHaveLength(1);
    expect(readFileSync(file).length).toBeGreaterThan(OCTETS);
  });
});
