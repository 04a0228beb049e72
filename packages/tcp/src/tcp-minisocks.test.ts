/** Passive opens: SYN queue, accept queue, what a request answers, SYN cookies. */
import { EAGAIN } from '@stack/kernel';
import { F_SETFL, O_NONBLOCK, SOL_TCP, TCP_ESTABLISHED, sysAccept, sysClose, sysFcntl, sysListen, sysRead, sysSetsockopt } from '@stack/socket';
import { afterEach, expect, test } from 'vitest';
import {
  LINUX_MIB_EMBRYONICRSTS, LINUX_MIB_LISTENDROPS, LINUX_MIB_LISTENOVERFLOWS, LINUX_MIB_SYNCOOKIESFAILED, LINUX_MIB_SYNCOOKIESRECV,
  LINUX_MIB_SYNCOOKIESSENT, LINUX_MIB_TCPDEFERACCEPTDROP, TCP_MIB_ATTEMPTFAILS, TCP_MIB_PASSIVEOPENS,
} from './tcp-mib.ts';
import { tcpDiag } from './tcp-diag.ts';
import { Segment, channelRcv } from './testing/channel.ts';
import { scriptListening } from './testing/script.ts';
import type { Script } from './testing/script.ts';
import { TCP_DEFER_ACCEPT, TCP_SAVED_SYN, TCP_SAVE_SYN } from './tcp-uapi.ts';
