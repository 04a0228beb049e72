// The codec: what is written is read again; what is wrong is refused.
import { Random, randomBelow } from '@stack/kernel';
import { describe, expect, test } from 'vitest';
import {
  BOOTREQUEST, dhcpBuild, DHCPDISCOVER, DhcpMessage, dhcpParse, macText, OPT_CLIENT_ID, OPT_DOMAIN_NAME, OPT_HOST_NAME, OPT_LEASE_TIME,
  OPT_MESSAGE_TYPE, OPT_MTU, OPT_ROUTER, optAddress, optAddresses, optSeconds, optText, optU16, optU8, setAddresses, setText, setU16, setU32,
  setU8,
} from './dhcp-message.ts';

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

function sample(): DhcpMessage {
  const msg = new DhcpMessage(BOOTREQUEST, 0xdeadbeef, MAC);
  msg.secs = 7;
  msg.flags = 0x8000;
  msg.ciaddr = 0x0a000001;
  msg.yiaddr = 0xc0000201 | 0;
  msg.siaddr = -1;
  msg.giaddr = 1;
  setU8(msg, OPT_MESSAGE_TYPE, DHCPDISCOVER);
  setU16(msg, OPT_MTU, 1400);
  setU32(msg, OPT_LEASE_TIME, 0xffffffff);
  setAddresses(msg, OPT_ROUTER, [0x0a000001, 0xc0000201 | 0]);
  setText(msg, OPT_HOST_NAME, 'host');
  return msg;
}

/** The sample with these octets as its options. */
function withOptions(...octets: number[]): Uint8Array {
  const bytes = dhcpBuild(new DhcpMessage(BOOTREQUEST, 1, MAC)).slice(0, 240);
  return Uint8Array.from([...bytes, ...octets]);
}

describe('RFC 2131 §2: messages', () => {
  test('every field and option is read as it was written', () => {
    const msg = dhcpParse(dhcpBuild(sample()));
    expect(msg).toEqual(sample());
    if (msg === null) return;
    expect([optU8(msg, OPT_MESSAGE_TYPE), optU16(msg, OPT_MTU), optSeconds(msg, OPT_LEASE_TIME)]).toEqual([1, 1400, 0xffffffff]);
    expect(optAddresses(msg, OPT_ROUTER)).toEqual([0x0a000001, 0xc0000201 | 0]);
    expect(optAddress(msg, OPT_ROUTER)).toBe(0x0a000001);
    expect([optText(msg, OPT_HOST_NAME), optText(msg, OPT_DOMAIN_NAME)]).toEqual(['host', '']);
  });

  test('RFC 1542 §2.1: at least 300 octets', () => {
    expect(dhcpBuild(sample()).length).toBe(300);
  });

  test('RFC 3396: an option longer than 255 octets goes in parts, which are one', () => {
    const msg = sample();
    msg.options.set(OPT_CLIENT_ID, Uint8Array.from({ length: 600 }, (_, i) => i));
    expect(dhcpParse(dhcpBuild(msg))).toEqual(msg);
    expect(dhcpParse(withOptions(53, 1, 1, 12, 2, 97, 98, 0, 12, 1, 99, 255))?.options.get(OPT_HOST_NAME)).toEqual(Uint8Array.of(97, 98, 99));
  });

  test('RFC 2132 §9.3: options go on in file and sname', () => {
    const bytes = withOptions(53, 1, 1, 52, 1, 3, 255);
    bytes.set([12, 1, 120, 255], 108);
    bytes.set([15, 1, 121, 255], 44);
    const msg = dhcpParse(bytes);
    expect(msg === null ? [] : [optText(msg, OPT_HOST_NAME), optText(msg, OPT_DOMAIN_NAME)]).toEqual(['x', 'y']);
  });

  test('a wrong cookie, no type, an option past the end, an address of 17 octets: no message', () => {
    expect(dhcpParse(withOptions(53, 1, 1))).not.toBeNull();
    expect(dhcpParse(withOptions(255))).toBeNull();
    expect(dhcpParse(withOptions(53, 2, 1, 1, 255))).toBeNull();
    expect(dhcpParse(withOptions(53, 1, 1, 12, 9, 97))).toBeNull();
    expect(dhcpParse(withOptions(53, 1, 1).slice(0, 239))).toBeNull();
    for (const [at, value] of [[236, 0], [2, 17]] as const) {
      const bytes = withOptions(53, 1, 1, 255);
      bytes[at] = value;
      expect(dhcpParse(bytes)).toBeNull();
    }
  });

  test('an option of the wrong length counts as none', () => {
    const msg = dhcpParse(withOptions(53, 1, 1, 26, 1, 5, 51, 3, 1, 2, 3, 3, 3, 1, 2, 3, 255));
    expect(msg === null ? [] : [optU16(msg, OPT_MTU), optSeconds(msg, OPT_LEASE_TIME), optAddress(msg, OPT_ROUTER)]).toEqual([0, null, 0]);
  });

  test('noise is read or refused, and never throws', () => {
    const seed = 99;
    const random = new Random(seed);
    const bytes = dhcpBuild(sample());
    for (let round = 0; round < 3000; round++) {
      const noise = bytes.slice(0, 240 + randomBelow(random, 61));
      for (let i = randomBelow(random, 5); i >= 0; i--) noise[randomBelow(random, noise.length)] = randomBelow(random, 256);
      expect(() => dhcpParse(noise), `seed ${seed}, round ${round}`).not.toThrow();
    }
  });
});

test('a hardware address as text', () => {
  expect(macText(MAC)).toBe('02:00:00:00:00:01');
});
