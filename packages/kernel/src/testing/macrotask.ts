/** A turn of the host's event loop, on every host that the tests run on. */
import { hostLoop } from '../real-clock.ts';

/** A promise that is resolved in a later macrotask. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const loop = hostLoop();
    const turn = (): void => {
      loop.close();
      resolve();
    };
    loop.attach(turn, () => undefined);
    loop.requestTurn(true);
  });
}
