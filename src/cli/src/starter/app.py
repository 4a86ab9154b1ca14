"""A small web service: answers every GET with a greeting. It needs nothing but Python 3."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the caller to confirm its headers: 40 ms

    def do_GET(self):
        if self.path == "/health":
            self.answer(b"ok\n", "text/plain")
        else:
            told = {"greeting": os.environ.get("GREETING", "hello"), "instance": os.environ.get("WHARF_INSTANCE")}
            self.answer(json.dumps(told).encode() + b"\n", "application/json")

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    # PORT is set for every instance: on one host they cannot all listen on the same port.
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
