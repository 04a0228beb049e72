/*
 * What an idle connection costs: the growth of the process's memory over many, both ends counted.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Peer } from './peer.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function used(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Octets of heap and buffers for each of `count` idle connections, both ends together. */
export async function bytesPerConnection(peer: Peer, count: number): Promise<number> {
  const warm = await peer.idle(10);
  await warm();
  const before = used();
  const close = await peer.idle(count);
  const bytes = Math.round((used() - before) / count);
  await close();
  return bytes;
}
