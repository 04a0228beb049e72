// What tests against real Linux share: a network namespace of their own, commands in it, and a reason to skip.
import { describe } from 'vitest';
import { missingCommands, missingForReal } from '../../scripts/needs.mjs';

export {
  Netns, createNetns, deleteNetns, eventually, ip, nextLine, nsIp, nsIpJson, nsPeer, nsRun, nsSpawn, nsText, nsWriteSysctl, plug,
} from './namespace.ts';

/** Why this level cannot run here; empty if it can. */
export const missing = missingForReal();

/** describe() that skips its tests where this level cannot run. */
export const describeReal = describe.skipIf(missing !== '');

/** describeReal() for tests that need more commands; its title says which are not installed. */
export function describeRealWith(commands: string[], title: string, body: () => void): void {
  const without = missing === '' ? missingCommands(commands) : '';
  describe.skipIf(missing !== '' || without !== '')(without === '' ? title : `${title}: SKIPPED, ${without}`, body);
}
