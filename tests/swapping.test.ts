// docs/swapping.md: every example type-checks as a user's strict project would, and runs; and the contracts that no unit test can run
// on our own tables, since they need a whole host.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installConntrack, installIpTables, installNat } from '@stack/conntrack';
import { createFrameNic, createHost, type Host } from '@stack/host';
import { inAton } from '@stack/inet-sock';
import { inetProtocolContract } from '@stack/ip/contract';
import { createWorld } from '@stack/kernel';
import { ETH_P_IP, netdevAllocSkb, type NetDevice } from '@stack/netdev';
import { nfUnregisterNetHook, type NfHookOps } from '@stack/netfilter';
import { nfHookContract } from '@stack/netfilter/contract';
import { skbPut, type SkBuff } from '@stack/skbuff';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { codeBlocks } from './support/markdown.ts';
import { root } from './support/workspace.ts';

const scratch = join(root, 'tests', '.cache', 'swapping');
const text = readFileSync(join(root, 'docs', 'swapping.md'), 'utf8');

rmSync(scratch, { recursive: true, force: true });
mkdirSync(scratch, { recursive: true });
const headings = [...text.matchAll(/^## (.*)\n|^```ts/gm)].map((match) => match[1]);
const examples = codeBlocks(text, 'ts').map((body, index) => {
  const file = join(scratch, `swap-${index + 1}.ts`);
  writeFileSync(file, `${body}export {};\n`);
  return file;
});

/** The heading that the example stands under. */
function titleOf(index: number): string {
  let seen = -1;
  let title = '';
  for (const heading of headings) {
    if (heading !== undefined) title = heading;
    else if (++seen === index) break;
  }
  return title;
}

describe('docs/swapping.md', () => {
  test('its examples type-check in a strict project', () => {
    const parsed = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), {}, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined });
    const program = ts.createProgram(examples, { ...parsed?.options, noEmit: true });
    const diagnostics = examples.flatMap((file, index) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return found.map((diagnostic) => `${titleOf(index)}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`);
    });
    expect(diagnostics).toEqual([]);
  });

  test.each(examples.map((file, index) => [titleOf(index), file]))('%s', async (_title, file) => {
    await import(/* @vite-ignore */ pathToFileURL(file).href);
  });
});

/** A host with one Ethernet device, up, whose cable is pulled out. */
function makeHost(): { host: Host; dev: NetDevice } {
  const host = createHost({ world: createWorld({ seed: 1, debug: true }) });
  return { host, dev: host.addNic({ device: (net) => createFrameNic(net, null), address: '10.0.0.1/24' }) };
}

const transports = makeHost().host.net.ipv4.inetProtos.flatMap((ops, protocol) => (ops === null ? [] : [protocol]));

describe.each(transports)('the contract of InetProtocol on protocol %i', (protocol) => {
  test.each(inetProtocolContract.map(({ name, run }) => [name, run] as const))('%s', (_name, run) => {
    run(() => {
      const { host, dev } = makeHost();
      const ops = host.net.ipv4.inetProtos[protocol]!;
      return { net: host.net, dev, local: inAton('10.0.0.1'), remote: inAton('10.0.0.2'), ops, protocol };
    });
  });
});

/** A host with connection tracking, NAT and rule tables; all hook functions that it has. */
function makeFirewall(): { host: Host; dev: NetDevice; hooks: NfHookOps[] } {
  const { host, dev } = makeHost();
  for (const install of [installConntrack, installNat, installIpTables]) install(host.net);
  return { host, dev, hooks: host.net.nf.hooks.flatMap((list) => list ?? []) };
}

/** A packet of UDP, TCP, ICMP or another protocol, whose transport header is more or less there. */
function makePacket(dev: NetDevice, i: number): SkBuff {
  const length = 20 + 3 * i;
  const skb = netdevAllocSkb(dev, length)!;
  const at = skbPut(skb, length);
  skb.buf.fill(i * 37, at, at + length);
  skb.view.setUint32(at, (0x4500 << 16) | length);
  skb.view.setUint32(at + 4, 0);
  skb.view.setUint32(at + 8, (64 << 24) | ([17, 6, 1, 132][i % 4]! << 16));
  skb.view.setInt32(at + 12, inAton('10.0.0.2'));
  skb.view.setInt32(at + 16, inAton('10.0.0.1'));
  skb.networkHeader = at;
  skb.transportHeader = at + 20;
  skb.protocol = ETH_P_IP;
  return skb;
}

describe.each(makeFirewall().hooks.map(({ hooknum, priority }, index) => [hooknum, priority, index]))(
  'the contract of NfHookOps on hook %i, priority %i',
  (_hooknum, _priority, index) => {
    test.each(nfHookContract.map(({ name, run }) => [name, run] as const))('%s', (_name, run) => {
      run(() => {
        const { host, dev, hooks } = makeFirewall();
        const ops = hooks[index]!;
        nfUnregisterNetHook(host.net, ops);
        return { net: host.net, ops, packet: (i) => makePacket(dev, i) };
      });
    });
  },
);
