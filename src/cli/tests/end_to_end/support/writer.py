"""Writes below /mnt/out what `put/NAME/TEXT` says, and answers with what is there."""

import http.server
import os

OUT = "/mnt/out"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            return self.answer("")
        words = self.path.split("/")
        if "put" in words:
            with open(os.path.join(OUT, words[-2]), "w") as file:
                file.write(words[-1])
        self.answer(" ".join(f"{name}={open(os.path.join(OUT, name)).read()}" for name in sorted(os.listdir(OUT))))

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
