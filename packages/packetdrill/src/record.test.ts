import { expect, test } from 'vitest';
import { runScript } from './house.ts';
import { parseScript } from './parse.ts';

test('a record notes what was sent and returned; an echo may name a segment', async () => {
  const { failure, log } = await runScript(parseScript(`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 5 ecr 0>
 +.01 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 6 ecr 2000000>
   +0 accept(3, ..., ...) = 4
   +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 read(4, ..., 10) = 7
   +0 write(4, ..., 100) = 50
 +.01 ioctl(4, SIOCOUTQ, [0]) = 0
  `), { record: true });
  expect(failure).toBeNull();
  expect(log.slice(3)).toEqual([
    '0.000000 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 5 ecr 0>',
    '0.000000 > S. 0:0(0) ack 1 win 65160 <mss 1460,sackOK,TS val 1000000 ecr 5>',
    '0.010000 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 6 ecr 2000000>',
    '0.010000 = accept opens',
    '0.010000 = fcntl 0',
    '0.010000 = read -1 EAGAIN',
    '0.010000 = write 100',
    '0.010000 > P. 1:101(100) ack 1 win 65160 <nop,nop,TS val 1000010 ecr 6>',
    '0.020000 = ioctl 0',
    '0.020000 = ioctl CallError: the answer: expected 0, got 100',
  ]);
});
