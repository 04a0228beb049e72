// What every runtime runs, to be compared: the same seeds give the same hashes wherever JavaScript runs.
import { echo, type EchoResult } from './echo.ts';
import { transfer, type TransferResult } from './transfer.ts';

const IMPAIRMENTS = { bandwidth: 1e9, delay: 10, jitter: 0.1, loss: 0.05, reorder: 0.01, duplicate: 0.005, corrupt: 0.001 };

/** What the runs yield. */
export interface Runs {
  readonly echo: EchoResult;
  readonly transfer: TransferResult;
}

/** An echo of 300,000 octets, and 2 MiB through 5 % loss. */
export async function runs(seed = 1): Promise<Runs> {
  return {
    echo: await echo(seed, 300_000),
    transfer: await transfer({ seed, octets: 2 << 20, impairments: IMPAIRMENTS }),
  };
}
