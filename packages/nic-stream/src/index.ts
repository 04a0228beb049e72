// A NIC on a stream
export { createStreamNic, streamAttach, streamClosed, type Stream, type StreamNicOptions } from './stream-nic.ts';
export type { DuplexLike, WebStreamPair } from './stream-wire.ts';

// A NIC on whatever carries whole frames
export { createFrameNic, type FrameNicOptions } from './frame-nic.ts';
export { messagePortWire } from './web-wire.ts';
