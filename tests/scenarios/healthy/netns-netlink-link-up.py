#!/usr/bin/env python3
# In a network namespace of its own: recv() without limit on a rtnetlink socket (peer: the kernel).
# Looks like: external-wait on a socket without a peer.
# Ended by: a sibling process that sleeps 6 s and sets `lo` up, whereupon the kernel sends RTM_NEWLINK.
import ctypes, fcntl, os, socket, struct, sys, time
unshare = ctypes.CDLL(None).unshare
if unshare(0x40000000) and unshare(0x50000000):      # with a user namespace, if not root
    print("no right to make a network namespace: only sleeping"); time.sleep(6); sys.exit(0)
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); s.bind((0, 1))
k = os.fork()
if k == 0:
    s.close(); time.sleep(6)
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); fcntl.ioctl(u, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40)); os._exit(0)
d = s.recv(65536); _, st = os.waitpid(k, 0)
sys.exit(0 if struct.unpack_from("H", d, 4)[0] == 16 and st == 0 else 1)
