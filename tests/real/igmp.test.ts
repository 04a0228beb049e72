// IGMPv3 beside Linux's: both join, filter and leave by the same steps, and say the same to the routers.
import { fileURLToPath } from 'node:url';
import { inAton } from '@stack/inet-sock';
import { IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_DROP_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_UNBLOCK_SOURCE, IpMreqn, IpMreqSource } from '@stack/ip';
import { PF_INET, SOCK_DGRAM, SOL_IP, sysCall, sysClose, sysSetsockopt, sysSocket } from '@stack/socket';
import { expect, test } from 'vitest';
import { describeRealWith, nsRun } from '../support/netns.ts';
import { OURS, PEER, realHost } from '../support/real-host.ts';
import { frames } from '../support/tshark.ts';

const GROUP = '239.1.2.3';
const PAUSE = 1300;
const STEPS = ['join', 'block=10.99.0.9', 'unblock=10.99.0.9', 'leave', 'add=10.99.0.8', 'add=10.99.0.9', 'drop=10.99.0.8', 'drop=10.99.0.9'];

const OPTIONS: Readonly<Record<string, number>> = {
  join: IP_ADD_MEMBERSHIP, leave: IP_DROP_MEMBERSHIP, unblock: IP_UNBLOCK_SOURCE, block: IP_BLOCK_SOURCE, add: IP_ADD_SOURCE_MEMBERSHIP,
  drop: IP_DROP_SOURCE_MEMBERSHIP,
};

describeRealWith(['python3', 'tshark'], 'IGMP', () => {
  test('reports of joins, of changed filters and of leaves are Linux\'s, TTL, TOS, DF and router alert too', async () => {
    const real = realHost('igmp');
    const peer = nsRun(real.ns, 'python3', fileURLToPath(new URL('../support/igmp-peer.py', import.meta.url)), PEER, GROUP, String(PAUSE / 1000), ...STEPS);
    const { task } = real.host;
    const fd = sysCall(sysSocket(task, PF_INET, SOCK_DGRAM, 0), 'socket');
    for (const step of STEPS) {
      const [name, source] = step.split('=');
      const value = source === undefined ? new IpMreqn(inAton(GROUP), inAton(OURS)) : new IpMreqSource(inAton(GROUP), inAton(OURS), inAton(source));
      sysCall(sysSetsockopt(task, fd, SOL_IP, OPTIONS[name], value), step);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    await peer;
    await sysClose(task, fd);
    await real.close();
    const fields = ['igmp.type', 'igmp.num_grp_recs', 'igmp.record_type', 'igmp.maddr', 'igmp.saddr', 'ip.dst', 'ip.ttl', 'ip.dsfield', 'ip.flags.df', 'ip.opt.ra', 'ip.len'];
    const said = (host: string): string[] => frames(real.file, `igmp && ip.src == ${host} && igmp.maddr == ${GROUP}`, ...fields).map((frame) => frame.join(' '));
    expect(said(OURS)).toHaveLength(2 * STEPS.length);
    expect(said(OURS)).toEqual(said(PEER));
  });
});
