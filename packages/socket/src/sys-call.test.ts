import { ECONNREFUSED } from '@stack/kernel';
import { expect, test } from 'vitest';
import { sysCall } from './sys-call.ts';

test('a result ≥ 0 passes, a negative one throws what node:net would', async () => {
  expect(sysCall(5, 'read')).toBe(5);
  expect(sysCall(0, 'bind')).toBe(0);
  expect(() => sysCall(-ECONNREFUSED, 'connect', '10.0.0.1', 7)).toThrow('connect ECONNREFUSED 10.0.0.1:7');
  expect(await sysCall(Promise.resolve(7), 'read')).toBe(7);
  await expect(sysCall(Promise.resolve(-ECONNREFUSED), 'connect', '10.0.0.1', 7)).rejects.toMatchObject({
    code: 'ECONNREFUSED', errno: -111, syscall: 'connect', address: '10.0.0.1', port: 7,
  });
});
