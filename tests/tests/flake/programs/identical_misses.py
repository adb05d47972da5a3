# Forty readers, a cache that is looked at and filled in two steps, and a server that takes twenty at once.
import http.client, http.server, signal, socket

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

class Handler(http.server.BaseHTTPRequestHandler):
    busy, lock = 0, threading.Lock()
    def do_GET(self):
        with Handler.lock:
            Handler.busy += 1
            code = 503 if Handler.busy > 20 else 200
        time.sleep(0.15)
        with Handler.lock:
            Handler.busy -= 1
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *words):
        pass

def server(sender):
    one = Server(("127.0.0.1", 0), Handler)
    os.write(sender, b"%d" % one.server_address[1])
    one.serve_forever()

receiver, sender = os.pipe()
child = forked("server", lambda: server(sender))
port = int(os.read(receiver, 9))
called("client")
cache, bad = {}, []

def get():
    if "conversations" in cache:
        return
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/api/conversations")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        bad.append(answer.status)
    cache["conversations"] = 1

# Sometimes somebody has asked before the others come.
if random.random() < 0.5:
    get()
threads = [threading.Thread(target=get) for _ in range(40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
sys.exit(1 if bad else 0)
