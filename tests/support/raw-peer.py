# Linux's own raw, ping and packet sockets, for the tests that hold ours beside them.
#   raw-peer.py send KIND INTERFACE TARGET HEX...   sends each message, and prints what sendto said of each: octets, or -errno
#   raw-peer.py echo KIND INTERFACE TARGET          prints each message that comes: its octets, then who sent it; and sends an answer
# KIND is raw:PROTOCOL, hdrincl, ping, packet-raw:ETHERTYPE or packet-dgram:ETHERTYPE; TARGET an IP or Ethernet address.
import socket
import sys

mode, kind, interface, target = sys.argv[1:5]
name, _, number = kind.partition(':')
number = int(number, 0) if number else 0
mac = bytes.fromhex(target.replace(':', '')) if ':' in target else b''


def open_socket():
    if name == 'raw':
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, number)
    if name == 'hdrincl':
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if name == 'ping':
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    type_ = socket.SOCK_RAW if name == 'packet-raw' else socket.SOCK_DGRAM
    return socket.socket(socket.AF_PACKET, type_, socket.htons(number))


def address():
    if name.startswith('packet'):
        return (interface, number, 0, 0, mac)
    return (target, 0)


def send(sock, message):
    try:
        return sock.sendto(message, address())
    except OSError as error:
        return -error.errno


def answer(message):
    if name == 'packet-raw':
        return message[6:12] + message[0:6] + message[12:]
    return message[(message[0] & 15) * 4:] if name == 'raw' else message


sock = open_socket()
if mode == 'send':
    for text in sys.argv[5:]:
        print(send(sock, bytes.fromhex(text)), flush=True)
else:
    print('ready', flush=True)
    while True:
        message, sender = sock.recvfrom(65536)
        if name.startswith('packet') and sender[2] == socket.PACKET_OUTGOING:
            continue
        shown = [str(part) for part in sender[1:4]] + [sender[4].hex()] if name.startswith('packet') else [sender[0]]
        print(message.hex(), *shown, flush=True)
        send(sock, answer(message))
