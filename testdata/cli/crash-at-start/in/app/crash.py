import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Loading(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"loading model.bin"
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        print("loading model.bin")
        print("model.bin has 3 layers, but 4 are needed", file=sys.stderr)
        os._exit(3)

    def log_message(self, *words):
        pass


HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Loading).serve_forever()
