// Capturing a network device.
export { Capture, capture, stopCapture, type CaptureOptions } from './capture.ts';

// Writing pcapng.
export {
  EPB_BROADCAST, EPB_DATA, EPB_INBOUND, EPB_MULTICAST, EPB_OUTBOUND, EPB_PROMISCUOUS, EPB_UNICAST, LINKTYPE_ETHERNET,
  LINKTYPE_RAW, PcapngWriter, createPcapngWriter, pcapngAddInterface, pcapngPacketBlock, pcapngWriteBlock,
  pcapngWritePacket, pcapngWriteStatistics,
  type PcapngInterface, type PcapngPacketInfo, type PcapngSink, type PcapngStatistics,
} from './pcapng.ts';

// Reading pcap and pcapng.
export { captureNext, openCapture, readCapture } from './capture-file.ts';
export { CaptureError, CaptureInterface, CaptureReader, CaptureRecord } from './capture-record.ts';
