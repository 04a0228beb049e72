// The server
export { createDhcpServer, DhcpStats, type DhcpServer, type LeaseRow } from './dhcp-server.ts';
export type { DhcpServerOptions } from './server-config.ts';

// The client
export {
  createDhcpClient, DHCP_BOUND, DHCP_CLOSED, DHCP_INIT, DHCP_REBINDING, DHCP_RENEWING, DHCP_REQUESTING, DHCP_SELECTING, type DhcpClient,
  type DhcpClientOptions,
} from './dhcp-client.ts';
export type { DhcpLease } from './client-lease.ts';

// Messages
export {
  BOOTREPLY, BOOTREQUEST, BROADCAST_FLAG, DHCP_CLIENT_PORT, DHCP_SERVER_PORT, DHCPACK, dhcpBuild, DHCPDECLINE, DHCPDISCOVER, DHCPINFORM,
  DhcpMessage, DHCPNAK, DHCPOFFER, dhcpParse, DHCPRELEASE, DHCPREQUEST, INFINITE_LEASE, macText, OPT_BROADCAST, OPT_CLIENT_ID, OPT_DNS_SERVER,
  OPT_DOMAIN_NAME, OPT_HOST_NAME, OPT_LEASE_TIME, OPT_MAX_SIZE, OPT_MESSAGE, OPT_MESSAGE_TYPE, OPT_MTU, OPT_PARAM_REQ, OPT_REQUESTED_IP,
  OPT_ROUTER, OPT_SERVER_ID, OPT_SUBNET_MASK, OPT_T1, OPT_T2, optAddress, optAddresses, optSeconds, optText, optU16, optU8, setAddresses,
  setText, setU16, setU32, setU8,
} from './dhcp-message.ts';
