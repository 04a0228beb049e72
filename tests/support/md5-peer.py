# A TCP peer with RFC 2385 signatures on Linux: md5-peer.py (echo|client) ADDRESS PORT KEY [PEER PREFIXLEN]
# echo: says READY, echoes one connection until its end. client: sends what comes on stdin's argument, prints the answer.
import socket, struct, sys

TCP_MD5SIG, TCP_MD5SIG_EXT, PREFIX = 14, 32, 1


def md5sig(sock, address, key, prefixlen=None):
    storage = struct.pack('=HH4s', socket.AF_INET, 0, socket.inet_aton(address)).ljust(128, b'\0')
    flags = 0 if prefixlen is None else PREFIX
    value = storage + struct.pack('=BBHi', flags, prefixlen or 0, len(key), 0) + key.ljust(80, b'\0')
    sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG if prefixlen is None else TCP_MD5SIG_EXT, value)


mode, address, port, key = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].encode()
sock = socket.socket()
if mode == 'echo':
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if key:
        md5sig(sock, sys.argv[5], key, int(sys.argv[6]) if len(sys.argv) > 6 else None)
    sock.bind((address, port))
    sock.listen(8)
    print('READY', flush=True)
    conn, _ = sock.accept()
    while True:
        data = conn.recv(65536)
        if not data:
            break
        conn.sendall(data)
    conn.close()
else:
    if key:
        md5sig(sock, address, key)
    sock.settimeout(3)
    try:
        sock.connect((address, port))
        data = b'x' * int(sys.argv[5])
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        got = b''
        while True:
            part = sock.recv(65536)
            if not part:
                break
            got += part
        print('SAME' if got == data else 'OTHER %d' % len(got))
    except OSError as error:
        print('ERROR', error)
