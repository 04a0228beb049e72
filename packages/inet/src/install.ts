/*
 * Gives a Net the family PF_INET (inet_init): socket(PF_INET, …) then works for every transport that is registered in
 * inetsw.
 */
import { netAtExit, requireNet, requireNoNet } from '@stack/kernel';
import type { Net } from '@stack/kernel';
import { ipIfnameToIndex } from '@stack/ip';
import { PF_INET, sockRegister, sockUnregister } from '@stack/socket';
import { inetFamilyOps } from './af-inet.ts';
import { NetnsInet } from './inetsw.ts';

/** Installs the family on a Net that has sockets and IP. */
export function installInet(net: Net): void {
  requireNet(net, 'installInet', 'socket', 'ipv4');
  requireNoNet(net, 'installInet', 'inet');
  net.inet = new NetnsInet();
  net.socket.ifnameToIndex = ipIfnameToIndex;
  sockRegister(net, inetFamilyOps);
  netAtExit(net, exitInet);
}

function exitInet(net: Net): void {
  sockUnregister(net, PF_INET);
}
