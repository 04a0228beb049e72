# Sends UDP datagrams to an echo server as fragments in every order, and says what came back, a line for each case.
#   fragments.py INTERFACE SOURCE TARGET PORT
# Cases: each of the 24 orders of four fragments; one sent twice; two that overlap; the last missing.
import itertools
import socket
import sys

from scapy.all import IP, UDP, Raw, conf, fragment

interface, source, target, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
conf.verb = 0
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind((source, 0))
sport = echo.getsockname()[1]


def pieces(ident, payload):
    packet = IP(src=source, dst=target, id=ident) / UDP(sport=sport, dport=port) / Raw(payload)
    return fragment(packet, fragsize=504)


def ask(name, ident, payload, parts, seconds):
    for part in parts:
        raw.sendto(bytes(part), (target, 0))
    echo.settimeout(seconds)
    try:
        answer = echo.recv(65536)
        print(name, "same" if answer == payload else "other", flush=True)
    except TimeoutError:
        print(name, "nothing", flush=True)


ident = 1
for order in itertools.permutations(range(4)):
    payload = bytes((ident * 7 + i) & 0xFF for i in range(1900))
    parts = pieces(ident, payload)
    ask("order-" + "".join(map(str, order)), ident, payload, [parts[i] for i in order], 5)
    ident += 1

payload = bytes(i & 0xFF for i in range(1900))
parts = pieces(ident, payload)
ask("twice", ident, payload, [parts[0], parts[1], parts[1], parts[2], parts[3]], 5)

parts = pieces(ident + 1, payload)
overlap = parts[1].copy()
overlap.frag -= 1
ask("overlap", ident + 1, payload, [parts[0], overlap, parts[1], parts[2], parts[3]], 0.5)

parts = pieces(ident + 2, payload)
ask("missing", ident + 2, payload, parts[:3], 0.5)
