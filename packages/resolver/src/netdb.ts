/*
 * What a user of names sees (netdb.h): struct hostent, the values of h_errno, and the one place where they become an Error.
 */

/** Authoritative: there is no such name. */
export const HOST_NOT_FOUND = 1;
/** No name server answered, or one had a failure of its own: try again later. */
export const TRY_AGAIN = 2;
/** A name server answered with an error that will not pass. */
export const NO_RECOVERY = 3;
/** The name is there, but has no address. */
export const NO_DATA = 4;

/** struct hostent: a name and its addresses (int32, `hLength` octets each on the wire). */
export interface Hostent {
  /** The official name. */
  readonly hName: string;
  readonly hAliases: readonly string[];
  readonly hAddrtype: number;
  readonly hLength: number;
  readonly hAddrList: readonly number[];
  /** The first address: h_addr_list[0], as the C macro h_addr. */
  readonly hAddr: number;
}

/** The fields of the Errors that Node's dns.lookup gives. */
export interface LookupError extends Error {
  /** `ENOTFOUND`, `EAI_AGAIN`, `EAI_FAIL`. */
  code: string;
  /** libuv's number. */
  errno: number;
  syscall: string;
  hostname: string;
}

/** hstrerror(3): what an h_errno means. */
export function hstrerror(hErrno: number): string {
  switch (hErrno) {
    case 0:
      return 'Resolver Error 0 (no error)';
    case HOST_NOT_FOUND:
      return 'Unknown host';
    case TRY_AGAIN:
      return 'Host name lookup failure';
    case NO_RECOVERY:
      return 'Unknown server error';
    case NO_DATA:
      return 'No address associated with name';
    default:
      return 'Unknown resolver error';
  }
}

const nodeErrors: Readonly<Record<number, readonly [string, number]>> = {
  [HOST_NOT_FOUND]: ['ENOTFOUND', -3008],
  [NO_DATA]: ['ENOTFOUND', -3008],
  [TRY_AGAIN]: ['EAI_AGAIN', -3001],
  [NO_RECOVERY]: ['EAI_FAIL', -3004],
};

/** The Error that Node makes of a lookup that failed, `getaddrinfo ENOTFOUND name`, and what `hint` adds to it. */
export function lookupException(hErrno: number, hostname: string, hint = ''): LookupError {
  const [code, errno] = nodeErrors[hErrno] ?? ['EAI_FAIL', -3004];
  return Object.assign(new Error(`getaddrinfo ${code} ${hostname}${hint}`), { code, errno, syscall: 'getaddrinfo', hostname });
}
