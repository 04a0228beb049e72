import { test } from 'vitest';
import { afOpsContract } from './contract.ts';
import type { AfOpsRig } from './contract.ts';
import { makeHost, makeSock, toyAf } from './testing/rig.ts';

function make(): AfOpsRig {
  const { net } = makeHost();
  return {
    af: { ...toyAf, initSequence: (sk) => toyAf.ehashfn(sk) },
    sock(local, localPort, remote, remotePort) {
      const sk = makeSock(net);
      sk.inetRcvSaddr = local;
      sk.inetSaddr = local;
      sk.inetNum = localPort;
      sk.inetSport = localPort;
      sk.inetDaddr = remote;
      sk.inetDport = remotePort;
      return sk;
    },
  };
}

for (const rule of afOpsContract) test(rule.name, () => rule.run(make));
