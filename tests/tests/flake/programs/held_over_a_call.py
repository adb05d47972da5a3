# FLUSH posts to the server with the lock of the conversations held; READDIRPLUS wants to list them.
import http.client, http.server, signal, socket

def server(listener):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            # A model answers when it likes.
            time.sleep(random.choice([0.01, 0.01, 0.7]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        def log_message(self, *words):
            pass
    http.server.HTTPServer.address_family = socket.AF_INET
    one = http.server.HTTPServer(("127.0.0.1", 0), Handler, False)
    one.socket.close()
    one.socket = listener
    one.serve_forever()

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
child = forked("server", lambda: server(listener))
listener.close()
place = os.path.join(tmp, "mount")
os.mkdir(place)

def files():
    fd = mount(place)
    lock = threading.Lock()
    def flush():
        with phase("flush", wait="lock:conversations"):
            lock.acquire()
        with phase("flush", hold="lock:conversations"):
            with phase("new conversation", wait="http:POST /api/conversations/new"):
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("POST", "/api/conversations/new")
                connection.getresponse().read()
                connection.close()
            lock.release()
    def listing():
        with phase("list", wait="lock:conversations"):
            lock.acquire()
        lock.release()
    handlers = {FLUSH: flush, READDIR: listing, DIRPLUS: listing}
    threads = [threading.Thread(target=serve, args=(fd, handlers), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

daemon = forked("files", files)
while not os.path.ismount(place):
    time.sleep(0.01)

def writes():
    with open(os.path.join(place, "send"), "w") as f:
        f.write("hello")

writer = forked("writer", writes)
time.sleep(0.05)
began = time.monotonic()
os.listdir(place)
late = time.monotonic() - began > 0.3
os.waitpid(writer, 0)
while unmount(place) != 0:
    time.sleep(0.01)
for pid in (daemon, child):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
sys.exit(1 if late else 0)
