/*
 * struct tcp_info as Linux's uapi lays it out.
 */

/** Fields in their order, by size; `:n` are bits of one octet, from the lowest. */
const LAYOUT: readonly (readonly ['u8' | 'bits' | 'u16' | 'u32' | 'u64', string])[] = [
  ['u8', 'state ca_state retransmits probes backoff options'],
  ['bits', 'snd_wscale:4 rcv_wscale:4'],
  ['bits', 'delivery_rate_app_limited:1 fastopen_client_fail:2'],
  ['u32', 'rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent last_data_recv last_ack_recv'],
  ['u32', 'pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans'],
  ['u64', 'pacing_rate max_pacing_rate bytes_acked bytes_received'],
  ['u32', 'segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out'],
  ['u64', 'delivery_rate busy_time rwnd_limited sndbuf_limited'],
  ['u32', 'delivered delivered_ce'],
  ['u64', 'bytes_sent bytes_retrans'],
  ['u32', 'dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash'],
  ['u16', 'total_rto total_rto_recoveries'],
  ['u32', 'total_rto_time'],
];

const SIZES = { u8: 1, bits: 1, u16: 2, u32: 4, u64: 8 } as const;

/** Room for what a kernel newer than this table may fill. */
export const TCP_INFO_MAX = 512;

function readNumber(view: DataView, at: number, size: number): number {
  if (size === 1) return view.getUint8(at);
  if (size === 2) return view.getUint16(at, true);
  return size === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

/** The fields that a kernel filled, as `tcpi_…`: those of the first `length` octets. */
export function parseTcpInfo(view: DataView, length: number): Map<string, number> {
  const out = new Map<string, number>();
  let at = 0;
  for (const [type, names] of LAYOUT) {
    const size = SIZES[type];
    let bit = 0;
    for (const name of names.split(' ')) {
      if (at + size > length) return out;
      if (type !== 'bits') at = Math.ceil(at / size) * size;
      const [bare = '', width = '0'] = name.split(':');
      const value = readNumber(view, at, size);
      out.set(`tcpi_${bare}`, type === 'bits' ? (value >> bit) & ((1 << Number(width)) - 1) : value);
      bit += Number(width);
      if (type !== 'bits') at += size;
    }
    if (type === 'bits') at++;
  }
  return out;
}
