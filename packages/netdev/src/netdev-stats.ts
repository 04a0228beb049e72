// Counters of a device: the fields of the kernel's rtnl_link_stats64, in its order (`ip -s link`).
//
// A driver counts what it moves and what it finds broken; this package counts rxDropped, txDropped and rxNohandler
// where the stack itself throws a packet away.

/** Counters of one device since it was made. */
export class NetDeviceStats {
  rxPackets: number;
  txPackets: number;
  rxBytes: number;
  txBytes: number;
  rxErrors: number;
  txErrors: number;
  rxDropped: number;
  txDropped: number;
  multicast: number;
  collisions: number;
  rxLengthErrors: number;
  rxOverErrors: number;
  rxCrcErrors: number;
  rxFrameErrors: number;
  rxFifoErrors: number;
  rxMissedErrors: number;
  txAbortedErrors: number;
  txCarrierErrors: number;
  txFifoErrors: number;
  txHeartbeatErrors: number;
  txWindowErrors: number;
  rxCompressed: number;
  txCompressed: number;
  rxNohandler: number;
  rxOtherhostDropped: number;

  constructor() {
    this.rxPackets = 0;
    this.txPackets = 0;
    this.rxBytes = 0;
    this.txBytes = 0;
    this.rxErrors = 0;
    this.txErrors = 0;
    this.rxDropped = 0;
    this.txDropped = 0;
    this.multicast = 0;
    this.collisions = 0;
    this.rxLengthErrors = 0;
    this.rxOverErrors = 0;
    this.rxCrcErrors = 0;
    this.rxFrameErrors = 0;
    this.rxFifoErrors = 0;
    this.rxMissedErrors = 0;
    this.txAbortedErrors = 0;
    this.txCarrierErrors = 0;
    this.txFifoErrors = 0;
    this.txHeartbeatErrors = 0;
    this.txWindowErrors = 0;
    this.rxCompressed = 0;
    this.txCompressed = 0;
    this.rxNohandler = 0;
    this.rxOtherhostDropped = 0;
  }
}
