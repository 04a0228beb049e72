// A NIC whose wire keeps its chunks whole: each is one Ethernet frame. What a guest in a page, a tunnel or a worker yields.

import type { Net } from '@stack/kernel';
import type { NetDevice } from '@stack/netdev';
import { createStreamNic, type Stream, type StreamNicOptions } from './stream-nic.ts';

/** What createFrameNic() may be told. */
export type FrameNicOptions = Omit<StreamNicOptions, 'framing'>;

/**
 * Makes a NIC on `stream`, one chunk of which is one frame: createStreamNic() with `framing: 'chunk'`. Not yet registered. When
 * the stream ends, the carrier is lost.
 */
export function createFrameNic(net: Net, stream: Stream | null, options: FrameNicOptions = {}): NetDevice {
  return createStreamNic(net, stream, { ...options, framing: 'chunk' });
}
