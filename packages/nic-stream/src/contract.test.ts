// The contract of NetDeviceOps on this driver, over each kind of wire that is synchronous, as the contract wants it.
import { registerNetdevice, type NetDevice } from '@stack/netdev';
import { netDeviceContract } from '@stack/netdev/contract';
import { describe, test } from 'vitest';
import { createStreamNic, type StreamNicOptions } from './stream-nic.ts';
import { makeNets, makePipe, type PipeEnd } from './test-support.ts';

/** Cuts what is written into pieces of `size` octets. */
function cut(end: PipeEnd, size: number): PipeEnd {
  const { write } = end;
  end.write = (chunk) => {
    for (let at = 0; at < chunk.length; at += size) write.call(end, chunk.subarray(at, at + size));
    return true;
  };
  return end;
}

function makePair(options: StreamNicOptions, size = Infinity): { a: NetDevice; b: NetDevice } {
  const nets = makeNets(2);
  const ends = makePipe().map((end) => (size === Infinity ? end : cut(end, size)));
  const [a, b] = nets.map((net, i) => createStreamNic(net, ends[i]!, options));
  registerNetdevice(a!);
  registerNetdevice(b!);
  return { a: a!, b: b! };
}

const pairs: Record<string, () => { a: NetDevice; b: NetDevice }> = {
  'a byte stream': () => makePair({}),
  'a byte stream cut into single octets': () => makePair({}, 1),
  'a byte stream cut into pieces of 61': () => makePair({}, 61),
  'a stream of whole frames': () => makePair({ framing: 'chunk' }),
};

for (const [what, make] of Object.entries(pairs)) {
  describe(what, () => {
    for (const { name, run } of netDeviceContract) test(name, () => run(make));
  });
}
