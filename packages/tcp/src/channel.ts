// TCP on a channel: a carrier that is not IP, and the pattern of one's own
export {
  AF_CHANNEL, Channel, Segment, SockAddrChannel, channelAttach, channelRcv, channelSpecific, segmentText,
} from './tcp-channel.ts';
export { ChannelHost, channelOps, channelProt, createChannelHost } from './tcp-channel-family.ts';
