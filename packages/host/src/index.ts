// A host
export { createHost, type HostOptions } from './create-host.ts';
export { Host, type Show } from './host.ts';
export type { AddrRow, NeighRow, RouteRow, SocketRow, UdpDiagRow } from './show.ts';

// Its devices
export { addNic, plainOn, virtioOn, type CableOptions, type DeviceMaker, type NicOptions } from './nic.ts';
export { createFrameNic, messagePortWire, type FrameNicOptions, type FrameWire } from './frame-nic.ts';

// TCP as web streams
export type { ConnectOptions, Connection, Listener, ListenOptions } from './streams.ts';

// What is left open
export { OpenError, assertNothingOpen } from './open.ts';

// Names
export { gethostbyname, type Hostent } from './gethostbyname.ts';
