/*
 * Constants of the engine (the kernel's include/net/tcp.h). Times in jiffies unless the name says µs.
 *
 * Order of calls: none, data alone. Read first: RFC 6298 §2 (RTO), RFC 9293 §3.7 (MSS), §3.8.
 */
import { HZ } from '@stack/kernel';
import { SKB_TRUESIZE } from '@stack/skbuff';

/** Room in front of every segment: TCP header with options, carrier header, link header. */
export const MAX_TCP_HEADER = 192;
/**
 * truesize of a sending sk_buff without payload: Linux's, whose head has room for 320 bytes of headers.
 * Deviation: the linear part holds payload here, and has a slot of the pool; on Linux payload lies in page fragments and
 * counts by the byte. What is charged is Linux's number, so that SO_SNDBUF and SO_MEMINFO mean what they mean there.
 */
export const TCP_SKB_HEAD_TRUESIZE = SKB_TRUESIZE(320);
/** The part of it that is the sk_buff itself: what does not lie in the slot of the head. */
export const SKB_STRUCT_TRUESIZE = 256;
/* Bits of net.ipv4.tcp_fastopen. */
export const TFO_CLIENT_ENABLE = 1;
export const TFO_SERVER_ENABLE = 2;
export const TFO_CLIENT_NO_COOKIE = 4;
export const TFO_SERVER_COOKIE_NOT_REQD = 0x200;
export const TFO_SERVER_WO_SOCKOPT1 = 0x400;

/** Most option bytes of a segment. */
export const MAX_TCP_OPTION_SPACE = 40;
/** The least MSS ever used for sending, and the default of RFC 9293 §3.7.1. */
export const TCP_MIN_MSS = 88;
export const TCP_MSS_DEFAULT = 536;
export const TCP_MAX_WSCALE = 14;
/** Largest window without scaling that no receiver takes for signed. */
export const MAX_TCP_WINDOW = 32767;
/** Out-of-order or stale ACKs: blocks kept of a receiver's SACK. */
export const TCP_NUM_SACKS = 4;
/** Initial window in segments (RFC 6928). */
export const TCP_INIT_CWND = 10;
/** Most segments ACKed at once at the start of a connection. */
export const TCP_MAX_QUICKACKS = 16;

/** Delayed ACK: 40 ms at least, 200 ms at most. */
export const TCP_DELACK_MIN = HZ / 25;
export const TCP_DELACK_MAX = HZ / 5;
export const TCP_ATO_MIN = HZ / 25;
export const TCP_RTO_MIN = HZ / 5;
export const TCP_RTO_MAX = 120 * HZ;
/** RFC 6298 §2.1. */
export const TCP_TIMEOUT_INIT = HZ;
/** Initial RTO after a SYN was lost (RFC 6298 §5.7). */
export const TCP_TIMEOUT_FALLBACK = 3 * HZ;
/** Least timeout of probes, µs. */
export const TCP_TIMEOUT_MIN_US = 2000;
/** How soon a local congestion is tried again. */
export const TCP_RESOURCE_PROBE_INTERVAL = HZ / 2;
export const TCP_TIMEWAIT_LEN = 60 * HZ;
export const TCP_FIN_TIMEOUT_MAX = 120 * HZ;

/** PAWS, seconds: an idle connection's timestamp is not trusted any longer than this (RFC 7323 §5.5). */
export const TCP_PAWS_24DAYS = 60 * 60 * 24 * 24;
export const TCP_PAWS_MSL = 60;
/** PAWS: how far back (ms) a timestamp may step and still pass in the established state. */
export const TCP_PAWS_WINDOW = 1;

/** Most bytes of a large sk_buff. */
export const GSO_LEGACY_MAX_SIZE = 65536;

/** net.ipv4.tcp_recovery. Its bit 1, RACK itself, has no effect: there is nothing else. */
export const TCP_RACK_STATIC_REO_WND = 2;
export const TCP_RACK_NO_DUPTHRESH = 4;

/** What an ACK did (tcp_ack's flag). */
export const FLAG_DATA = 0x01;
export const FLAG_WIN_UPDATE = 0x02;
export const FLAG_DATA_ACKED = 0x04;
export const FLAG_RETRANS_DATA_ACKED = 0x08;
export const FLAG_SYN_ACKED = 0x10;
export const FLAG_DATA_SACKED = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_LOST_RETRANS = 0x80;
export const FLAG_SLOWPATH = 0x100;
export const FLAG_ORIG_SACK_ACKED = 0x200;
export const FLAG_SND_UNA_ADVANCED = 0x400;
export const FLAG_DSACKING_ACK = 0x800;
export const FLAG_SET_XMIT_TIMER = 0x1000;
export const FLAG_SACK_RENEGING = 0x2000;
export const FLAG_UPDATE_TS_RECENT = 0x4000;
export const FLAG_NO_CHALLENGE_ACK = 0x8000;
export const FLAG_ACK_MAYBE_DELAYED = 0x10000;
export const FLAG_DSACK_TLP = 0x20000;
export const FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED;
export const FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED;
export const FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK;
export const FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

/** What recovery wants sent (tcp_ack's rexmit). */
export const REXMIT_NONE = 0;
export const REXMIT_LOST = 1;
export const REXMIT_NEW = 2;
