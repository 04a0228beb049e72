/** A host with a toy connection-oriented protocol, for the tests of the tables: addresses as IPv4's, no packets. */
import { EAGAIN, createNet, createWorld, randomU32 } from '@stack/kernel';
import type { Net, World } from '@stack/kernel';
import { installSkbuff } from '@stack/skbuff';
import {
  AF_INET, SOCK_DEAD, TCP_CLOSE, TCP_ESTABLISHED, TCP_SYN_SENT, installSocket, skAlloc, sockInitData, sockSetFlag,
} from '@stack/socket';
import type { Proto } from '@stack/socket';
import {
  InetConnectionSock, InetHashinfo, InetTimewaitSock, RequestSock, inNtoa, inetCopyKey, inetCsk, inetCskAccept, inetCskClearXmitTimers,
  inetCskDestroySock, inetCskGetPort, inetEhashfn, inetHash, inetHashConnect, inetHashinfoInit, inetPutPort, inetRcvSaddrConflict,
  inetSkMatch, inetUnhash, installInetSock, ipv4IsLoopback, jhash3words,
} from '../index.ts';
import type { InetConnectionSockAfOps, RequestSockOps } from '../index.ts';

/** What the toy engine keeps for a Net. */
export class ToyNet {
  hashinfo: InetHashinfo;
  /** Whether a time-wait sock may be taken over. */
  reuse = false;
  expired = 0;
  recycled = 0;
  synAcks = 0;
  timeouts = 0;
  freed = 0;

  constructor() {
    this.hashinfo = new InetHashinfo({
      twskUnique: () => this.reuse,
      twskExpired: () => {
        this.expired++;
      },
      twskRecycled: () => {
        this.recycled++;
      },
    }, { writeTimer: () => undefined, delackTimer: () => undefined, keepaliveTimer: () => undefined });
  }
}

const toys = new WeakMap<Net, ToyNet>();

export function toy(net: Net): ToyNet {
  let state = toys.get(net);
  if (state === undefined) {
    state = new ToyNet();
    toys.set(net, state);
  }
  return state;
}

export const toyAf: InetConnectionSockAfOps = {
  netHeaderLen: 20,
  queueXmit: () => 0,
  sendCheck: () => undefined,
  rebuildHeader: () => 0,
  connect: () => 0,
  connRequest: () => 0,
  synRecvSock: () => null,
  mtuReduced: () => undefined,
  sendReset: () => undefined,
  sendTimewaitAck: () => undefined,
  cookieCheck: (sk) => sk,
  lookupListener: () => null,
  hashinfo: (net) => toy(net).hashinfo,
  ehashfn: (sk) => inetEhashfn(toy(sk.skNet).hashinfo, sk.inetRcvSaddr, sk.inetNum, sk.inetDaddr, sk.inetDport),
  match: inetSkMatch,
  copyKey: inetCopyKey,
  rcvSaddrConflict: inetRcvSaddrConflict,
  isLoopback: (sk) => ipv4IsLoopback(sk.inetDaddr),
  portOffset: (sk) => jhash3words(sk.inetSaddr, sk.inetDaddr, sk.inetDport, 42),
  initSequence: (sk) => randomU32(sk.skNet.world.random),
  initTsOff: () => 0,
  resetSaddr: (sk) => {
    sk.inetSaddr = 0;
    sk.inetRcvSaddr = 0;
  },
  recvError: () => -EAGAIN,
  metricsKey: (sk) => sk.inetDaddr,
  addrText: (sk, peer) => inNtoa(peer ? sk.inetDaddr : sk.inetRcvSaddr),
};

export const toyProt: Proto = {
  name: 'TOY',
  objCreate: (net, family, prot) => new InetConnectionSock(net, family, prot, toyAf),
  mem: null,
  init: null,
  destroy: (sk) => {
    inetCskClearXmitTimers(inetCsk(sk));
    inetPutPort(sk);
  },
  close: () => 0,
  connect: null,
  disconnect: (sk) => {
    inetUnhash(sk);
    sk.skState = TCP_CLOSE;
    return 0;
  },
  accept: inetCskAccept,
  ioctl: null,
  shutdown: null,
  setsockopt: null,
  getsockopt: null,
  sendmsg: () => 0,
  recvmsg: () => 0,
  bind: null,
  backlogRcv: null,
  releaseCb: null,
  hash: inetHash,
  unhash: inetUnhash,
  getPort: inetCskGetPort,
  putPort: inetPutPort,
  streamMemoryFree: null,
  enterMemoryPressure: null, leaveMemoryPressure: null,
  poll: null,
  setRcvlowat: null,
  keepalive: null,
  rehash: null,
};

export const toyReqOps: RequestSockOps = {
  family: AF_INET,
  rtxSynAck: (sk) => {
    toy(sk.skNet).synAcks++;
    return 0;
  },
  sendAck: () => undefined,
  sendReset: () => undefined,
  destructor: (req) => {
    toy(req.skNet).freed++;
  },
  synAckTimeout: (req) => {
    toy(req.skNet).timeouts++;
  },
  synAckRetries: () => 5,
};

export function makeHost(): { world: World; net: Net } {
  const world = createWorld({ debug: true });
  installSkbuff(world);
  const net = createNet(world, { name: 'toy' });
  installSocket(net);
  installInetSock(net);
  inetHashinfoInit(toy(net).hashinfo, net);
  return { world, net };
}

export function makeSock(net: Net): InetConnectionSock {
  const sk = inetCsk(skAlloc(net, AF_INET, toyProt));
  sockInitData(null, sk);
  return sk;
}

/** What bind(2) does. */
export function bindTo(sk: InetConnectionSock, port: number, addr = 0): number {
  sk.inetRcvSaddr = addr;
  sk.inetSaddr = addr;
  const err = inetCskGetPort(sk, port);
  if (err === 0) sk.inetSport = sk.inetNum;
  return err;
}

/** What connect(2) does, up to and with an established connection. */
export function connectTo(sk: InetConnectionSock, saddr: number, daddr: number, dport: number): number {
  sk.inetSaddr = saddr;
  sk.inetRcvSaddr = saddr;
  sk.inetDaddr = daddr;
  sk.inetDport = dport;
  sk.skState = TCP_SYN_SENT;
  const err = inetHashConnect(sk);
  sk.skState = err === 0 ? TCP_ESTABLISHED : TCP_CLOSE;
  return err;
}

/** The end of a connection without rest. */
export function destroy(sk: InetConnectionSock): void {
  inetUnhash(sk);
  sk.skState = TCP_CLOSE;
  sockSetFlag(sk, SOCK_DEAD);
  toy(sk.skNet).hashinfo.orphanCount++;
  inetCskDestroySock(sk);
}

export function makeRequest(listener: InetConnectionSock, saddr: number, sport: number): RequestSock {
  const req = new RequestSock(listener.skNet, toyReqOps);
  req.rskListener = listener;
  req.inetRcvSaddr = 0x0a000001;
  req.inetNum = listener.inetNum;
  req.inetDaddr = saddr;
  req.inetDport = sport;
  return req;
}

export function makeTimewait(sk: InetConnectionSock): InetTimewaitSock {
  return new InetTimewaitSock(sk.skNet, sk.skProt, sk.afSpecific);
}
