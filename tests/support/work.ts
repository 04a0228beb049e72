// How much work the stack does, counted, not timed: calls of functions of packages/, as V8 counts them for its coverage reports. A busy machine
// counts like an idle one.
import { Session } from 'node:inspector/promises';

/** Runs `body` and resolves with the number of calls of the stack's functions. */
export async function countCalls(body: () => void | Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
    await body();
    const { result } = await session.post('Profiler.takePreciseCoverage');
    let calls = 0;
    for (const { url, functions } of result) {
      if (!url.includes('/packages/')) continue;
      for (const { ranges } of functions) for (const { count } of ranges) calls += count;
    }
    return calls;
  } finally {
    await session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
  }
}
