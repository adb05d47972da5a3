# A file system of one directory with files that nobody keeps, over /dev/fuse, with a handler for some requests.
import ctypes, errno, struct
libc = ctypes.CDLL(None, use_errno=True)
INIT, LOOKUP, FORGET, GETATTR, SETATTR, OPEN, WRITE, RELEASE = 26, 1, 2, 3, 4, 14, 16, 18
FLUSH, OPENDIR, READDIR, RELEASEDIR, ACCESS, CREATE, BATCH, DIRPLUS = 25, 27, 28, 29, 34, 35, 42, 44

def mount(place):
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % fd
    if libc.mount(b"fs", place.encode(), b"fuse", 6, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return fd

def unmount(place):
    return libc.umount2(place.encode(), 0)

def attributes(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

def entry(node):
    return struct.pack("<4Q2I", node, 0, 0, 0, 0, 0) + attributes(node)

def serve(fd, handlers):
    while True:
        try:
            request = os.read(fd, 200000)
        except OSError:
            return
        _, op, unique, node = struct.unpack_from("<IIQQ", request)
        if op in (FORGET, BATCH):
            continue
        if op in handlers:
            handlers[op]()
        error, body = 0, b""
        if op == INIT:
            body = struct.pack("<4IHH2IHHI7I", 7, 31, 4096, 1 << 13, 8, 6, 65536, 1, 1, 0, 0, *[0] * 7)
        elif op == LOOKUP:
            body = entry(2)
        elif op in (GETATTR, SETATTR):
            body = struct.pack("<QII", 0, 0, 0) + attributes(node)
        elif op in (OPEN, OPENDIR):
            body = struct.pack("<QII", 0, 0, 0)
        elif op == WRITE:
            body = struct.pack("<II", struct.unpack_from("<I", request, 56)[0], 0)
        elif op not in (FLUSH, RELEASE, READDIR, RELEASEDIR, DIRPLUS):
            error = -errno.ENOSYS
        try:
            os.write(fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)
        except OSError:
            pass
