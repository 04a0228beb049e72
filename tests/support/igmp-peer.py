"""Joins and leaves a group as the steps on the command line say: interface address, then name=value each; a pause after each."""
import socket
import sys
import time

OPTION = {"join": 35, "leave": 36, "unblock": 37, "block": 38, "add": 39, "drop": 40}
interface, group, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for step in sys.argv[4:]:
    name, _, source = step.partition("=")
    value = socket.inet_aton(group) + socket.inet_aton(interface) + (socket.inet_aton(source) if source else b"")
    sock.setsockopt(socket.IPPROTO_IP, OPTION[name], value)
    time.sleep(pause)
