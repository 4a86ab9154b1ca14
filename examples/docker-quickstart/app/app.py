"""Greets, and says which instance it is."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        greeting = {"greeting": os.environ["GREETING"], "instance": os.environ["WHARF_INSTANCE"]}
        body = b"ok\n" if self.path == "/health" else json.dumps(greeting).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    # Instances are reached over their network, so it listens on every address.
    ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
