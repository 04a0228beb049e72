// TCP as web streams: what ends when a host does.
import { expect, test } from 'vitest';
import { createHost } from './create-host.ts';

test('the end of a host ends the loop over its listener, without an error', async () => {
  const host = createHost();
  const loop = (async () => {
    for await (const connection of host.listen({ port: 7 })) connection.close();
    return 'ended';
  })();
  await host.close();
  expect(await loop).toBe('ended');
});
