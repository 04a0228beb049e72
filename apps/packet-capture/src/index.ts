// What another app needs to show packets: a capture on one of its hosts, and the lines of tcpdump.
export {
  MAXIMUM_SNAPLEN, interfaceName, openCapture, stopCapture, type Capture, type CaptureCounts, type CaptureOptions, type CapturedPacket,
} from './capture.ts';
export { PLAIN, type PrintOptions } from './print/dissect.ts';
export { createPrinter, printPacket, type PacketText, type Printer } from './print/line.ts';
export { textSink, type Sink } from './sink.ts';
