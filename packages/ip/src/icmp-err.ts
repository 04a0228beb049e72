/*
 * What an ICMP destination unreachable means to a socket (RFC 1122 §4.2.3.9, §4.1.3.3): an errno,
 * and whether it ends a connection.
 */
import {
  ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP,
} from '@stack/kernel';
import { NR_ICMP_UNREACH } from './icmp-types.ts';

/** By code, 0 to NR_ICMP_UNREACH. */
const errnoByCode: readonly number[] = [
  ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN, ENONET, ENETUNREACH,
  EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
];

/** Bit n: code n is an error for good, and not one that may pass. */
const FATAL = (1 << 2) | (1 << 3) | (1 << 6) | (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10) | (1 << 13) | (1 << 14) | (1 << 15);

/** The errno (positive) of a code of ICMP_DEST_UNREACH; 0 for a code that there is not (icmp_err_convert). */
export function icmpErrConvert(code: number): number {
  return code >= 0 && code <= NR_ICMP_UNREACH ? errnoByCode[code] : 0;
}

/** Whether the code is an error for good. */
export function icmpErrFatal(code: number): boolean {
  return code <= NR_ICMP_UNREACH && (FATAL & (1 << code)) !== 0;
}
