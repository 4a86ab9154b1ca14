"""Adds up the squares of the numbers below one that is asked for, each rank its part of them.

Every rank but 0 connects to rank 0 and waits for work: a line with a number. It answers with a line, its sum. Rank 0 has the
requests: it hands each to all, adds its own part, and answers.
"""

import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RANK, SIZE = int(os.environ["RANK_ID"]), int(os.environ["WORLD_SIZE"])
MEETING = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))


def part(below: int) -> int:
    return sum(number * number for number in range(RANK, below, SIZE))


def work() -> None:
    while True:
        try:
            joined = socket.create_connection(MEETING)
            break
        except OSError:
            time.sleep(0.1)
    with joined, joined.makefile("rw") as lines:
        lines.write(f"{RANK}\n")
        lines.flush()
        print(f"rank {RANK} of {SIZE} met rank 0")
        for line in lines:
            lines.write(f"{part(int(line))}\n")
            lines.flush()


class Lead:
    def __init__(self) -> None:
        self.workers = {}
        self.turn = threading.Lock()

    def meet(self) -> None:
        with socket.create_server(("", MEETING[1])) as door:
            while len(self.workers) < SIZE - 1:
                lines = door.accept()[0].makefile("rw")
                self.workers[int(lines.readline())] = lines
        print(f"all {SIZE} ranks are here")

    def sum(self, below: int) -> int:
        with self.turn:
            for lines in self.workers.values():
                lines.write(f"{below}\n")
                lines.flush()
            return part(below) + sum(int(lines.readline()) for lines in self.workers.values())


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/health":
            here = len(lead.workers) == SIZE - 1
            self.say(200 if here else 503, f"{len(lead.workers) + 1} of {SIZE} ranks\n")
            return
        try:
            self.say(200, f"{lead.sum(int(self.path.strip('/') or 0))}\n")
        except ValueError:
            self.say(503, "a rank is gone\n")

    def say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if RANK > 0:
    work()
else:
    lead = Lead()
    threading.Thread(target=lead.meet, daemon=True).start()
    ThreadingHTTPServer(("", int(os.environ["PORT"])), Answer).serve_forever()
