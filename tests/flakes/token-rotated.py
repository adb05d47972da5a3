"""Workers of a client ask an API with a token that they renew; each renewal gives a new refresh token, too.

Why it fails: a worker that finds the token old takes the lock and renews it, but looks at the time before it has the lock.
When the other worker looks while the renewal is on its way, it renews a second time, with the refresh token it had
taken down before; the server takes a refresh token that comes twice for a stolen one and refuses it.

Truth: two workers renew the same token at once, and the refresh token is used twice.
"""

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LIFETIME = 0.3


class Service(BaseHTTPRequestHandler):
    lock = threading.Lock()
    refresh_token = 1

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/token":
            time.sleep(random.uniform(0.0005, 0.0015))  # the look into the user directory
            with Service.lock:
                valid = body["refresh"] == Service.refresh_token
                Service.refresh_token += valid
                reply = {"refresh": Service.refresh_token}
        else:
            valid, reply = True, {"rows": 3}
        self.send_response(200 if valid else 401)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *_):
        pass


class Client:
    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.refresh_token = 1
        self.expires = time.monotonic() + LIFETIME
        self.failures = []

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        reply = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise PermissionError(f"{path}: {response.status}")
        return reply

    def renew(self, refresh_token):
        with self.lock:
            reply = self.post("/token", {"refresh": refresh_token})
            self.refresh_token = reply["refresh"]
            self.expires = time.monotonic() + LIFETIME

    def work(self, until):
        try:
            while time.monotonic() < until:
                if time.monotonic() > self.expires:
                    self.renew(self.refresh_token)
                self.post("/report", {"kind": "daily"})
                time.sleep(random.uniform(0.15, 0.5))
        except OSError as error:
            self.failures.append(error)


def main():
    service = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        client = Client(int(service.stdout.readline()))
        until = time.monotonic() + 0.8
        workers = [threading.Thread(target=client.work, args=(until,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        service.terminate()
        service.wait()
    for failure in client.failures:
        print(failure, file=sys.stderr)
    return 1 if client.failures else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        print(server.server_port, flush=True)
        server.serve_forever()
    sys.exit(main())
