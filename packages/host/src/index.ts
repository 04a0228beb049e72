// A host
export { createHost, type HostOptions } from './create-host.ts';
export { Host, type Show } from './host.ts';
export type { FdbRow } from '@stack/devices';
export type { AddrRow, NeighRow, RouteRow, RuleRow, SocketRow, UdpDiagRow } from './show.ts';

// Its devices
export { addNic, plainOn, virtioOn, type CableOptions, type DeviceMaker, type NicOptions } from './nic.ts';
export {
  bridgeOf, faultyOn, tappedOn, tunOn, tunStreams, vethPair, vlanOn, type DeviceRef, type TunStreams,
} from './devices.ts';
export { createFrameNic, messagePortWire, type FrameNicOptions, type WebStreamPair } from '@stack/nic-stream';

// TCP as web streams
export type { ConnectOptions, Connection, Listener, ListenOptions } from './streams.ts';

// What is left open
export { OpenError, assertNothingOpen } from './open.ts';

// Names
export { gethostbyaddr, gethostbyname } from './names.ts';
export type { Hostent, HostsFile, ResolvConf } from '@stack/resolver';
