"""The dialogue between the interop runner and a client program: one JSON job a line in, one JSON answer a line out."""

import base64
import json
import sys


class Failure(Exception):
    """An answer with Kafka's error code."""

    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code


def unpack(text):
    return None if text is None else base64.b64decode(text)


def pack(data):
    return None if data is None else base64.b64encode(bytes(data)).decode()


def record(offset, timestamp, key, value, headers):
    return {
        "offset": offset,
        "timestamp": timestamp,
        "key": pack(key),
        "value": pack(value),
        "headers": [{"name": name, "value": pack(content)} for name, content in headers],
    }


def answer(handlers, code_of, line):
    job = json.loads(line)
    if job["op"] not in handlers:
        return {"ok": False, "error": f"operation {job['op']!r} is not in this program"}
    try:
        return {"ok": True, "result": handlers[job["op"]](job)}
    except Exception as error:  # every failure is an answer: the runner judges it
        return {"ok": False, "error": f"{type(error).__name__}: {error}", "code": code_of(error)}


def serve(handlers, code_of):
    """Answers jobs until standard input ends. `code_of` finds Kafka's error code in a client's exception, or None."""
    for line in sys.stdin:
        print(json.dumps(answer(handlers, code_of, line)), flush=True)
