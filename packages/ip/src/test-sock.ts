/*
 * A transport that does nothing, for tests that only need a sock.
 */
import { EOPNOTSUPP } from '@stack/kernel';
import { InetSock } from '@stack/inet-sock';
import { AF_INET } from '@stack/socket';
import type { Proto } from '@stack/socket';

const unsupported = (): number => -EOPNOTSUPP;

export const noProto: Proto = {
  name: 'NONE', objCreate: (net) => new InetSock(net, AF_INET, noProto), mem: null, init: null, destroy: null, close: () => 0, connect: null,
  disconnect: null, accept: null, ioctl: null, poll: null, shutdown: null, setsockopt: null, getsockopt: null, setRcvlowat: null, keepalive: null,
  sendmsg: unsupported, recvmsg: unsupported, bind: null, backlogRcv: null, releaseCb: null, hash: null, unhash: null, rehash: null,
  getPort: null, putPort: null, streamMemoryFree: null, enterMemoryPressure: null, leaveMemoryPressure: null,
};
