"""A small Flask application: greets, and says which instance it is."""

import os

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def hello():
    return jsonify(greeting=os.environ["GREETING"], instance=os.environ["WHARF_INSTANCE"])


@app.get("/health")
def health():
    return "ok\n"


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
