/**
 * Error numbers, Linux's, and the one place where a negative errno becomes an Error.
 *
 * Inside the stack an error is a negative number (`return -EAGAIN`). `errnoException` is called once, where a user's promise or
 * event stands, and gives the Error the fields that Node's own network errors have.
 */
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const E2BIG = 7;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOTTY = 25;
export const EFBIG = 27;
export const ENOSPC = 28;
export const ESPIPE = 29;
export const EROFS = 30;
export const EPIPE = 32;
export const EDOM = 33;
export const ERANGE = 34;
export const ENAMETOOLONG = 36;
export const ENOSYS = 38;
export const ELOOP = 40;
export const ENOMSG = 42;
export const ENODATA = 61;
export const ETIME = 62;
export const ENONET = 64;
export const EPROTO = 71;
export const EBADMSG = 74;
export const EOVERFLOW = 75;
export const ENOTUNIQ = 76;
export const EILSEQ = 84;
export const EUSERS = 87;
export const ENOTSOCK = 88;
export const EDESTADDRREQ = 89;
export const EMSGSIZE = 90;
export const EPROTOTYPE = 91;
export const ENOPROTOOPT = 92;
export const EPROTONOSUPPORT = 93;
export const ESOCKTNOSUPPORT = 94;
export const EOPNOTSUPP = 95;
export const EPFNOSUPPORT = 96;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENETRESET = 102;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const EISCONN = 106;
export const ENOTCONN = 107;
export const ESHUTDOWN = 108;
export const ETOOMANYREFS = 109;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;
export const EALREADY = 114;
export const EINPROGRESS = 115;
export const ESTALE = 116;
export const EDQUOT = 122;
export const ECANCELED = 125;

/** The same number as EAGAIN. */
export const EWOULDBLOCK = EAGAIN;
/** Never leaves the stack: the socket layer restarts the call (Linux's number). */
export const ERESTARTSYS = 512;
/** An ioctl that a protocol does not know: the layer below may. Never leaves the stack (Linux's number). */
export const ENOIOCTLCMD = 515;

const names = new Map<number, string>([
  [EPERM, 'EPERM'], [ENOENT, 'ENOENT'], [ESRCH, 'ESRCH'], [EINTR, 'EINTR'], [EIO, 'EIO'], [ENXIO, 'ENXIO'], [E2BIG, 'E2BIG'],
  [EBADF, 'EBADF'], [EAGAIN, 'EAGAIN'], [ENOMEM, 'ENOMEM'], [EACCES, 'EACCES'], [EFAULT, 'EFAULT'], [EBUSY, 'EBUSY'],
  [EEXIST, 'EEXIST'], [EXDEV, 'EXDEV'], [ENODEV, 'ENODEV'], [ENOTDIR, 'ENOTDIR'], [EINVAL, 'EINVAL'],
  [ENFILE, 'ENFILE'], [EMFILE, 'EMFILE'], [ENOTTY, 'ENOTTY'], [EFBIG, 'EFBIG'], [ENOSPC, 'ENOSPC'], [ESPIPE, 'ESPIPE'],
  [EROFS, 'EROFS'], [EPIPE, 'EPIPE'], [EDOM, 'EDOM'], [ERANGE, 'ERANGE'], [ENAMETOOLONG, 'ENAMETOOLONG'],
  [ENOSYS, 'ENOSYS'], [ELOOP, 'ELOOP'], [ENOMSG, 'ENOMSG'], [ENODATA, 'ENODATA'], [ETIME, 'ETIME'], [ENONET, 'ENONET'], [EPROTO, 'EPROTO'],
  [EBADMSG, 'EBADMSG'], [EOVERFLOW, 'EOVERFLOW'], [ENOTUNIQ, 'ENOTUNIQ'], [EILSEQ, 'EILSEQ'], [EUSERS, 'EUSERS'],
  [ENOTSOCK, 'ENOTSOCK'], [EDESTADDRREQ, 'EDESTADDRREQ'], [EMSGSIZE, 'EMSGSIZE'], [EPROTOTYPE, 'EPROTOTYPE'],
  [ENOPROTOOPT, 'ENOPROTOOPT'], [EPROTONOSUPPORT, 'EPROTONOSUPPORT'], [ESOCKTNOSUPPORT, 'ESOCKTNOSUPPORT'],
  [EOPNOTSUPP, 'EOPNOTSUPP'], [EPFNOSUPPORT, 'EPFNOSUPPORT'], [EAFNOSUPPORT, 'EAFNOSUPPORT'],
  [EADDRINUSE, 'EADDRINUSE'], [EADDRNOTAVAIL, 'EADDRNOTAVAIL'], [ENETDOWN, 'ENETDOWN'], [ENETUNREACH, 'ENETUNREACH'],
  [ENETRESET, 'ENETRESET'], [ECONNABORTED, 'ECONNABORTED'], [ECONNRESET, 'ECONNRESET'], [ENOBUFS, 'ENOBUFS'],
  [EISCONN, 'EISCONN'], [ENOTCONN, 'ENOTCONN'], [ESHUTDOWN, 'ESHUTDOWN'], [ETOOMANYREFS, 'ETOOMANYREFS'],
  [ETIMEDOUT, 'ETIMEDOUT'], [ECONNREFUSED, 'ECONNREFUSED'], [EHOSTDOWN, 'EHOSTDOWN'], [EHOSTUNREACH, 'EHOSTUNREACH'],
  [EALREADY, 'EALREADY'], [EINPROGRESS, 'EINPROGRESS'], [ESTALE, 'ESTALE'], [EDQUOT, 'EDQUOT'],
  [ECANCELED, 'ECANCELED'],
  [ERESTARTSYS, 'ERESTARTSYS'], [ENOIOCTLCMD, 'ENOIOCTLCMD'],
]);

/** The fields of Node's network errors. */
export interface ErrnoException extends Error {
  /** The name, `'ECONNREFUSED'`. */
  code: string;
  /** The number, negative, as Node has it. */
  errno: number;
  /** The system call that failed, `'connect'`. */
  syscall: string;
  address?: string;
  port?: number;
}

/** The name of an error number of either sign: `errnoName(-111)` is `'ECONNREFUSED'`; `'E<n>'` for one that has no name here. */
export function errnoName(errno: number): string {
  const n = Math.abs(errno);
  return names.get(n) ?? `E${n}`;
}

/**
 * An Error as Node would make it: message `connect ECONNREFUSED 10.0.0.1:7`, fields code, errno (negative), syscall, address, port.
 *
 * @param errno an error number, either sign
 */
export function errnoException(errno: number, syscall: string, address?: string, port?: number): ErrnoException {
  const code = errnoName(errno);
  const where = address === undefined ? '' : port === undefined ? ` ${address}` : ` ${address}:${port}`;
  const fields = { code, errno: -Math.abs(errno), syscall };
  const error: ErrnoException = Object.assign(new Error(`${syscall} ${code}${where}`), fields);
  if (address !== undefined) error.address = address;
  if (port !== undefined) error.port = port;
  return error;
}
