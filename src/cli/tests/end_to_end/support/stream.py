"""Reads a folder of a bucket by what its variables say, as engines do that stream their weights."""
import hashlib, hmac, http.server, os, urllib.parse, urllib.request
from datetime import datetime, timezone

NOTHING = hashlib.sha256(b"").hexdigest()


def read(name):
    server = os.environ["AWS_ENDPOINT_URL"]
    folder = urllib.parse.urlsplit(os.environ["WHARF_MOUNT_MNT_MODELS"])
    host, path = urllib.parse.urlsplit(server).netloc, f"/{folder.netloc}{folder.path}{name}"
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{os.environ['AWS_REGION']}/s3/aws4_request"
    names = "host;x-amz-content-sha256;x-amz-date"
    request = f"GET\n{path}\n\nhost:{host}\nx-amz-content-sha256:{NOTHING}\nx-amz-date:{now}\n\n{names}\n{NOTHING}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    who = f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    headers = {
        "x-amz-date": now,
        "x-amz-content-sha256": NOTHING,
        "Authorization": f"{who}, SignedHeaders={names}, Signature={signature}",
    }
    with urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), timeout=10) as answer:
        return answer.read()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"ready" if self.path == "/health" else read("weights.txt")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
