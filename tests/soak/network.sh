# Sockets within the run: late answers, late accepts, full buffers, idle servers with live clients.

#: late-answer | python3
python3 - <<'EOT'
import os, socket, time
s = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.create_connection(s.getsockname()); c.sendall(b"q"); assert c.recv(9) == b"a"; os._exit(0)
c, _ = s.accept(); c.recv(9); time.sleep(float(os.environ["P"])); c.sendall(b"a"); os.wait()
EOT

#: late-accept | python3
python3 - <<'EOT'
import os, socket, time
s = socket.create_server(("127.0.0.1", 0))
for _ in range(3):
    if os.fork() == 0: c = socket.create_connection(s.getsockname()); c.sendall(b"q"); assert c.recv(9) == b"a"; os._exit(0)
time.sleep(float(os.environ["P"]))
for _ in range(3): c, _ = s.accept(); c.recv(9); c.sendall(b"a"); os.wait()
EOT

#: full-buffers-and-a-slow-reader | python3
python3 - <<'EOT'
import os, socket, time
a, b = socket.socketpair(); s = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0: a.close(); b.sendall(b"x" * 3000000); b.close(); c = socket.create_connection(s.getsockname()); c.sendall(b"x" * 9000000); os._exit(0)
b.close()
def drain(f):
    while f.recv(1 << 20): pass
time.sleep(float(os.environ["P"]) / 2); drain(a); c, _ = s.accept(); time.sleep(float(os.environ["P"]) / 2); drain(c); os.wait()
EOT

#: datagrams | python3
python3 - <<'EOT'
import os, socket, time
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0))
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind("sock")
if os.fork() == 0:
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.connect(u.getsockname()); c.send(b"q"); assert c.recv(9) == b"a"
    e = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); e.connect("sock")
    for _ in range(50): e.send(b"x")
    os._exit(0)
_, peer = u.recvfrom(9); time.sleep(float(os.environ["P"]) / 2); u.sendto(b"a", peer); time.sleep(float(os.environ["P"]) / 2)
for _ in range(50): d.recv(9)
os.wait()
EOT

#: threads-of-a-server-and-a-slow-worker | python3
python3 - <<'EOT'
import http.server, os, threading, time, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): time.sleep(float(os.environ["P"])); self.send_response(200); self.end_headers(); self.wfile.write(b"x")
    def log_message(self, *_): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{s.server_port}/"
if os.fork() == 0: urllib.request.urlopen(url).read(); os._exit(0)
urllib.request.urlopen(url).read(); os.wait(); s.shutdown()
EOT

#: single-threaded-server-with-a-queue | python3
python3 - <<'EOT'
import http.server, os, time, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): time.sleep(float(os.environ["P"]) / 3); self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
for _ in range(3):
    if os.fork() == 0: urllib.request.urlopen(f"http://127.0.0.1:{s.server_port}/").read(); os._exit(0)
for _ in range(3): s.handle_request()
for _ in range(3): os.wait()
EOT

#: file-server-and-idle-clients | python3 curl
python3 -c 'import http.server
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler); print(s.server_port, file=open("port.new", "w")); import os; os.rename("port.new", "port"); s.serve_forever()' 2>/dev/null & server=$!
until test -e port; do sleep 0.1; done
curl -s "http://127.0.0.1:$(cat port)/" >/dev/null
python3 -c 'import os, socket, time
c = socket.create_connection(("127.0.0.1", int(open("port").read()))); time.sleep(float(os.environ["P"]))'
curl -s "http://127.0.0.1:$(cat port)/" >/dev/null
kill $server; wait $server || true

#: retries-until-the-server-is-up | curl python3
(sleep "$P"; exec python3 -c 'import http.server
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler); open("port.new", "w").write(str(s.server_port)); import os; os.rename("port.new", "port"); s.handle_request()' 2>/dev/null) &
until test -e port && curl -s "http://127.0.0.1:$(cat port)/" >/dev/null; do sleep 0.7; done; wait

#: server-is-the-command-and-a-timer-ends-it | python3
python3 -c 'import os, signal, socketserver, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
subprocess.Popen(["sh", "-c", f"sleep $P; kill {os.getpid()}"])
socketserver.TCPServer(("127.0.0.1", 0), None).serve_forever(poll_interval=None)'

#: proxy-between-two-who-sleep | socat
socat -t 40 UNIX-LISTEN:back SYSTEM:"sleep $P; head -1" & until test -S back; do sleep 0.1; done
socat -t 40 UNIX-LISTEN:front UNIX-CONNECT:back & until test -S front; do sleep 0.1; done
test "$(echo hello | socat -t 40 - UNIX-CONNECT:front)" = hello; wait

#: keep-alive-between-requests | python3
python3 - <<'EOT'
import http.client, http.server, os, threading, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self): self.send_response(200); self.send_header("Content-Length", "1"); self.end_headers(); self.wfile.write(b"x")
    def log_message(self, *_): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
if os.fork() == 0:
    c = http.client.HTTPConnection("127.0.0.1", s.server_port)
    for _ in range(3): c.request("GET", "/"); c.getresponse().read(); time.sleep(float(os.environ["P"]) / 2)
    c.close(); os._exit(0)
threading.Thread(target=s.serve_forever, daemon=True).start(); os.wait(); s.shutdown()
EOT

#: both-sides-poll-and-a-third-speaks | python3
python3 - <<'EOT'
import os, select, socket, time
a, b = socket.socketpair(); c, d = socket.socketpair()
if os.fork() == 0: a.close(); c.close(); select.select([b, d], [], []); b.sendall(b"y"); os._exit(0)
if os.fork() == 0: time.sleep(float(os.environ["P"])); c.sendall(b"x"); os._exit(0)
b.close(); d.close(); r, _, _ = select.select([a], [], []); assert a.recv(9) == b"y"; os.wait(); os.wait()
EOT

#: half-closed | python3
python3 - <<'EOT'
import os, socket, time
s = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.create_connection(s.getsockname()); c.sendall(b"q"); c.shutdown(socket.SHUT_WR); assert c.recv(9) == b"a"; os._exit(0)
c, _ = s.accept()
while c.recv(9): pass
time.sleep(float(os.environ["P"])); c.sendall(b"a"); os.wait()
EOT
