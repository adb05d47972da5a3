"""A web server with one thread whose handler asks the server itself (bottlepy/bottle#757)."""

import http.server
import os
import urllib.request

from scene import child, role


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/page":
            host, port = self.server.server_address
            body = urllib.request.urlopen(f"http://{host}:{port}/part").read()
        else:
            body = b"part"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
port = server.server_address[1]
serving = child("server", server.serve_forever)
server.socket.close()
role("client")
print(urllib.request.urlopen(f"http://127.0.0.1:{port}/page").read())
os.kill(serving, 9)
