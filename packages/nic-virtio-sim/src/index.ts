// @stack/nic-virtio-sim: simulated network cards, and the cables and switches between them.

// Cards
export { createVirtioNic, type VirtioNic, type VirtioNicOptions, type VirtioOffloads } from './create.ts';
export { createPlainNic, type PlainNic, type PlainNicOptions } from './plain-nic.ts';

// Between cards
export { Wire, connect, disconnect, wireSetImpairments } from './wire.ts';
export { type Impairments } from './impair.ts';
export { QueueDelay, channelMeasureQueue, queueDelayQuantile } from './queue-delay.ts';
export {
  FdbEntry, Switch, createSwitch, dumpSwitch, switchAttach, switchDetach, type SwitchOptions,
} from './switch.ts';

// For those who build hardware of their own
export { Channel, PORT_BUSY, PORT_TAKEN, Port, type PortOps } from './port.ts';
export { portRoom, portTransmit } from './transmit.ts';
export {
  Frame, Iov, frameAddPiece, frameByte, frameCopy, frameInt32, frameSetLinear, frameUint16,
} from './frame.ts';

// Virtio: the two halves
export { VirtioBus, virtioRead32, virtioWrite32, type VirtioBusOps } from './virtio-bus.ts';
export { VirtioNetDevice } from './virtio-device.ts';
export { virtnetOps, virtnetProbe } from './virtio-net.ts';
export { Virtqueue } from './virtio-ring.ts';
export { VhostVirtqueue } from './vhost-vring.ts';
