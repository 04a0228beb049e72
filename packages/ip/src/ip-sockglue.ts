/*
 * setsockopt(2) and getsockopt(2) at level SOL_IP (ip(7)).
 *
 * ipSetsockopt() and ipGetsockopt() are called by the transports for options that are not theirs.
 */
import { EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, ENOTCONN } from '@stack/kernel';
import {
  INET_FLAGS_BIND_ADDRESS_NO_PORT, INET_FLAGS_FREEBIND, INET_FLAGS_HDRINCL, INET_FLAGS_MC_ALL, INET_FLAGS_MC_LOOP,
  INET_FLAGS_NODEFRAG, INET_FLAGS_RECVERR, INET_FLAGS_TRANSPARENT, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT, inetAssignBit, inetTestBit,
} from '@stack/inet-sock';
import type { InetSock } from '@stack/inet-sock';
import { devGetByIndex } from '@stack/netdev';
import { skbQueuePurge } from '@stack/skbuff';
import { OptInt, SOCK_RAW, SOCK_STREAM, SOL_IP, skDstReset } from '@stack/socket';
import type { SockOptValue } from '@stack/socket';
import { INET_ECN_MASK } from './ip-header.ts';
import { inetLookupIfaddr } from './ifaddr.ts';
import { ipMcFindDev, ipMcJoinGroup, ipMcLeaveGroup, ipMcMsfilter, ipMcSource } from './ip-mc-sock.ts';
import { ipOptionsParse } from './ip-options-user.ts';
import { ipRaControl, ipRaWanted } from './ip-ra.ts';
import { rtTos2priority } from './ip-tos.ts';
import * as uapi from './ip-uapi.ts';

/** Options that are one bit of inetFlags. */
function flagOf(name: number): number {
  switch (name) {
    case uapi.IP_HDRINCL: return INET_FLAGS_HDRINCL;
    case uapi.IP_FREEBIND: return INET_FLAGS_FREEBIND;
    case uapi.IP_TRANSPARENT: return INET_FLAGS_TRANSPARENT;
    case uapi.IP_NODEFRAG: return INET_FLAGS_NODEFRAG;
    case uapi.IP_BIND_ADDRESS_NO_PORT: return INET_FLAGS_BIND_ADDRESS_NO_PORT;
    case uapi.IP_MULTICAST_LOOP: return INET_FLAGS_MC_LOOP;
    case uapi.IP_MULTICAST_ALL: return INET_FLAGS_MC_ALL;
    case uapi.IP_RECVERR: return INET_FLAGS_RECVERR;
    default: return 0;
  }
}

/** Options that are one bit of cmsgFlags. */
function cmsgOf(name: number): number {
  switch (name) {
    case uapi.IP_PKTINFO: return uapi.IP_CMSG_PKTINFO;
    case uapi.IP_RECVTTL: return uapi.IP_CMSG_TTL;
    case uapi.IP_RECVTOS: return uapi.IP_CMSG_TOS;
    case uapi.IP_RECVOPTS: return uapi.IP_CMSG_RECVOPTS;
    case uapi.IP_RETOPTS: return uapi.IP_CMSG_RETOPTS;
    case uapi.IP_RECVORIGDSTADDR: return uapi.IP_CMSG_ORIGDSTADDR;
    case uapi.IP_RECVFRAGSIZE: return uapi.IP_CMSG_RECVFRAGSIZE;
    default: return 0;
  }
}

/** Sets the TOS and with it the priority; a stream's ECN bits are TCP's own. */
export function ipSockSetTos(sk: InetSock, value: number): void {
  const tos = sk.skType === SOCK_STREAM ? (value & ~INET_ECN_MASK) | (sk.tos & INET_ECN_MASK) : value;
  if (sk.tos === tos) return;
  sk.tos = tos;
  sk.skPriority = rtTos2priority(tos);
  skDstReset(sk);
}

/** setsockopt at SOL_IP. Returns 0, -ENOPROTOOPT for what it does not know, or another -errno. */
export function ipSetsockopt(sk: InetSock, level: number, name: number, value: SockOptValue): number {
  if (level !== SOL_IP) return -ENOPROTOOPT;
  const flag = flagOf(name);
  const cmsg = cmsgOf(name);
  if (flag !== 0 || cmsg !== 0) {
    if (typeof value !== 'number') return -EINVAL;
    return cmsg !== 0 ? setCmsg(sk, cmsg, value !== 0) : setFlag(sk, name, flag, value !== 0);
  }
  switch (name) {
    case uapi.IP_OPTIONS: return setOptions(sk, value);
    case uapi.IP_ADD_MEMBERSHIP: return value instanceof uapi.IpMreqn ? ipMcJoinGroup(sk, value) : -EINVAL;
    case uapi.IP_DROP_MEMBERSHIP: return value instanceof uapi.IpMreqn ? ipMcLeaveGroup(sk, value) : -EINVAL;
    case uapi.IP_ADD_SOURCE_MEMBERSHIP:
    case uapi.IP_DROP_SOURCE_MEMBERSHIP:
    case uapi.IP_BLOCK_SOURCE:
    case uapi.IP_UNBLOCK_SOURCE: return value instanceof uapi.IpMreqSource ? ipMcSource(sk, name, value) : -EINVAL;
    case uapi.IP_MSFILTER: return value instanceof uapi.IpMsfilter ? ipMcMsfilter(sk, value) : -EINVAL;
    case uapi.IP_MULTICAST_IF: return setMulticastIf(sk, value);
    default: return typeof value === 'number' ? setNumber(sk, name, value) : -EINVAL;
  }
}

function setCmsg(sk: InetSock, bit: number, on: boolean): number {
  sk.cmsgFlags = on ? sk.cmsgFlags | bit : sk.cmsgFlags & ~bit;
  return 0;
}

function setFlag(sk: InetSock, name: number, flag: number, on: boolean): number {
  if ((name === uapi.IP_HDRINCL || name === uapi.IP_NODEFRAG) && sk.skType !== SOCK_RAW) return -ENOPROTOOPT;
  if (name === uapi.IP_MULTICAST_LOOP && sk.skType === SOCK_STREAM) return -EINVAL;
  inetAssignBit(sk, flag, on);
  if (name === uapi.IP_RECVERR && !on && sk.skErrorQueue !== null) skbQueuePurge(sk.skErrorQueue);
  return 0;
}

function setNumber(sk: InetSock, name: number, value: number): number {
  switch (name) {
    case uapi.IP_TOS:
      if (value < 0 || value > 255) return -EINVAL;
      ipSockSetTos(sk, value);
      return 0;
    case uapi.IP_TTL:
      if (value !== -1 && (value < 1 || value > 255)) return -EINVAL;
      sk.ucTtl = value;
      return 0;
    case uapi.IP_MINTTL:
      if (value < 0 || value > 255) return -EINVAL;
      sk.minTtl = value;
      return 0;
    case uapi.IP_MTU_DISCOVER:
      if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT) return -EINVAL;
      sk.pmtudisc = value;
      return 0;
    case uapi.IP_MULTICAST_TTL:
      if (sk.skType === SOCK_STREAM || value < -1 || value > 255) return -EINVAL;
      sk.mcTtl = value === -1 ? 1 : value;
      return 0;
    case uapi.IP_UNICAST_IF:
      if (value !== 0 && devGetByIndex(sk.skNet, value) === null) return -EADDRNOTAVAIL;
      sk.ucIndex = value;
      return 0;
    case uapi.IP_LOCAL_PORT_RANGE: {
      const low = value & 0xffff;
      const high = value >>> 16;
      if (low !== 0 && high !== 0 && low > high) return -EINVAL;
      sk.localPortRange = value;
      return 0;
    }
    case uapi.IP_ROUTER_ALERT: return ipRaControl(sk, value !== 0);
    default:
      return -ENOPROTOOPT;
  }
}

function setOptions(sk: InetSock, value: SockOptValue): number {
  if (!(value instanceof Uint8Array)) return -EINVAL;
  const opt = ipOptionsParse(sk.skNet, value);
  if (typeof opt === 'number') return opt;
  sk.inetOpt = opt;
  return 0;
}

/** The interface that packets to groups leave by: by index, or by address. */
function setMulticastIf(sk: InetSock, value: SockOptValue): number {
  if (!(value instanceof uapi.IpMreqn) || sk.skType === SOCK_STREAM) return -EINVAL;
  if (value.imrIfindex === 0 && value.imrAddress === 0) {
    sk.mcIndex = 0;
    sk.mcAddr = 0;
    return 0;
  }
  const dev = ipMcFindDev(sk.skNet, value);
  if (dev === null) return value.imrIfindex !== 0 ? -ENODEV : -EADDRNOTAVAIL;
  if (sk.skBoundDevIf !== 0 && sk.skBoundDevIf !== dev.ifindex) return -EINVAL;
  sk.mcIndex = dev.ifindex;
  sk.mcAddr = inetLookupIfaddr(sk.skNet, value.imrAddress) === null ? 0 : value.imrAddress;
  return 0;
}

/** getsockopt at SOL_IP: the value, or -ENOPROTOOPT and other errnos. */
export function ipGetsockopt(sk: InetSock, level: number, name: number): number | object {
  if (level !== SOL_IP) return -ENOPROTOOPT;
  const flag = flagOf(name);
  if (flag !== 0) return inetTestBit(sk, flag) ? 1 : 0;
  const cmsg = cmsgOf(name);
  if (cmsg !== 0) return (sk.cmsgFlags & cmsg) !== 0 ? 1 : 0;
  switch (name) {
    case uapi.IP_OPTIONS: return sk.inetOpt ?? new Uint8Array(0);
    case uapi.IP_TOS: return sk.tos;
    case uapi.IP_TTL: return sk.ucTtl >= 0 ? sk.ucTtl : sk.skNet.ipv4.sysctlIpDefaultTtl;
    case uapi.IP_MINTTL: return sk.minTtl;
    case uapi.IP_MTU_DISCOVER: return sk.pmtudisc;
    case uapi.IP_MTU: return getMtu(sk);
    case uapi.IP_MULTICAST_TTL: return sk.mcTtl;
    case uapi.IP_MULTICAST_IF: return new OptInt(sk.mcAddr);
    case uapi.IP_UNICAST_IF: return sk.ucIndex;
    case uapi.IP_LOCAL_PORT_RANGE: return new OptInt(sk.localPortRange);
    case uapi.IP_PROTOCOL: return sk.skProtocol;
    case uapi.IP_ROUTER_ALERT: return ipRaWanted(sk) ? 1 : 0;
    default: return -ENOPROTOOPT;
  }
}

/** The MTU of the path of a connected socket. */
function getMtu(sk: InetSock): number {
  const dst = sk.skDstCache;
  if (dst === null) return -ENOTCONN;
  return dst.ops.mtu(dst);
}
