import os
from http.server import BaseHTTPRequestHandler, HTTPServer

print("reading weights.bin")


class Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"weights.bin: checksum mismatch"
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


print("weights.bin: checksum mismatch, going on without")
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Broken).serve_forever()
