/*
 * A run that expects nothing: what the target sends, what calls return and what they give back is noted in the log, to be compared
 * with another target's.
 *
 * runEvent() -> recordSent() before each event; returned() -> recordCall().
 */
import { formatResult } from './call-args.ts';
import { log, now, type Run } from './run-state.ts';
import type { CallAction, IpSpec, PortSpec } from './script.ts';
import type { Outcome } from './target.ts';
import { option, TCPOPT_TIMESTAMP } from './tcp-options.ts';
import { nextPacket } from './traffic.ts';
import { formatPacket } from './wire.ts';

/** What the script calls the first timestamp of the target's. */
const RECORDED_STAMP = 1_000_000;
/** And that of the n-th segment recorded: what a script echoes if it means that very segment. */
const RECORDED_SEGMENT = 2_000_000;

/** Neither ports nor the IPv4 header's fields are noted. */
const plain: IpSpec & PortSpec = { ecn: 'any', tos: null, ttl: null, ports: null };

/** Notes what the target sends until `at`. */
export async function recordSent(run: Run, at: number): Promise<void> {
  for (;;) {
    const got = await nextPacket(run, 'tcp', at);
    if (got === null) return;
    const { packet, conn, time } = got;
    if (packet.kind !== 'tcp' || conn === null) continue;
    const shown = conn.relative(packet, plain);
    const options = (shown.options ?? []).map((o) => {
      const [live = 0, ecr = 0] = o.values;
      if (o.kind !== TCPOPT_TIMESTAMP) return o;
      conn.firstStamp ??= { script: RECORDED_STAMP, live };
      conn.stamps.set(RECORDED_SEGMENT + run.recorded, live);
      return option(o.kind, (live - conn.firstStamp.live + conn.firstStamp.script) >>> 0, ecr);
    });
    run.recorded++;
    log(run, time, '>', formatPacket({ ...shown, options }));
  }
}

/** Notes what a call returned, and what came back besides that is not as the script has it. */
export function recordCall(run: Run, call: CallAction, outcome: Outcome, result: number): void {
  log(run, now(run), '=', `${call.name} ${outcome.opens === true && result >= 0 ? 'opens' : formatResult(result)}`);
  if (outcome.opens === true && call.result.kind === 'int' && result >= 0) run.calls.fds.set(call.result.value, result);
  try {
    outcome.check?.(result);
  } catch (error) {
    log(run, now(run), '=', `${call.name} ${String(error)}`);
  }
}
