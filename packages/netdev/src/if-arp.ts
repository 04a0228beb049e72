// Hardware types of a device (`NetDevice.type`), as ARP numbers them.
//
// Read first: RFC 826 (ar$hrd); IANA "ARP Parameters". Values from 512 are Linux's own.

export const ARPHRD_ETHER = 1;
export const ARPHRD_IEEE802 = 6;
export const ARPHRD_PPP = 512;
export const ARPHRD_TUNNEL = 768;
export const ARPHRD_LOOPBACK = 772;
export const ARPHRD_VOID = 0xffff;
export const ARPHRD_NONE = 0xfffe;
