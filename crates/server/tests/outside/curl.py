"""`curl`, as a person would type it, and what it got."""
import json
import pathlib
import subprocess
import tempfile

from service import die_with_parent


class Answer:
    def __init__(self, status, version, headers, body):
        self.status, self.version, self.headers, self.body = status, version, headers, body

    def __repr__(self):
        return f"HTTP/{self.version} {self.status} {self.headers} {self.body[:500]!r}"

    @property
    def kind(self):
        return self.headers.get("content-type", [""])[0]

    def json(self):
        return json.loads(self.body)

    def is_(self, status, kind=None):
        assert self.status == status, f"expected {status}: {self}"
        assert kind is None or self.kind == kind, f"expected {kind}: {self}"
        return self

    def problem(self, status, code):
        """RFC 9457, with the stable code."""
        self.is_(status, "application/problem+json")
        body = self.json()
        assert body["status"] == status and body["code"] == code, self
        assert body["type"] and body["title"] and body["detail"], self
        return self

    def lines(self):
        """Of a body of JSON Lines: each ends with a line feed."""
        assert not self.body or self.body.endswith(b"\n"), self
        return self.body.split(b"\n")[:-1]


class NoAnswer(Exception):
    """curl's own exit status: no connection, or it ended before the answer did."""

    def __init__(self, status, text):
        super().__init__(f"curl ended with {status}: {text}")
        self.status = status


def curl(url, *args, body=None, seconds=20):
    """One request; `body` is sent as it is. NoAnswer where curl itself says that it failed."""
    with tempfile.TemporaryDirectory(prefix="curl-") as place:
        place = pathlib.Path(place)
        line = ["curl", "-sS", "--max-time", str(seconds), "-o", place / "body", "-w", "%{json}\n%{header_json}", *args]
        if body is not None:
            (place / "sent").write_bytes(body if isinstance(body, bytes) else body.encode())
            line += ["--data-binary", f"@{place / 'sent'}"]
        done = subprocess.run([*map(str, line), url], capture_output=True, text=True, timeout=seconds + 10, check=False)
        got = (place / "body").read_bytes() if (place / "body").exists() else b""
    if done.returncode:
        raise NoAnswer(done.returncode, done.stderr.strip())
    decoder = json.JSONDecoder()
    about, end = decoder.raw_decode(done.stdout)
    headers = json.loads(done.stdout[end:])
    return Answer(about["response_code"], about["http_version"], headers, got)


def post_json(url, event, *args, **kwargs):
    body = event if isinstance(event, (str, bytes)) else json.dumps(event)
    return curl(url, "-H", "Content-Type: application/json", *args, body=body, **kwargs)


class Events:
    """Server-sent events as they come, read from a running curl."""

    def __init__(self, url, *args, seconds=30):
        self.process = subprocess.Popen(
            ["curl", "-sSN", "--max-time", str(seconds), "-D", "/dev/stderr", *args, url], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=die_with_parent)

    def headers(self):
        """Status line and headers."""
        out = []
        for line in self.process.stderr:
            if not line.strip():
                break
            out.append(line.decode().strip().lower())
        return out

    def next(self):
        """The next event as a dict of its fields; comments are left out. None at the end of the stream."""
        event = {}
        for line in self.process.stdout:
            line = line.decode().rstrip("\r\n")
            if not line and event:
                return event
            if line and not line.startswith(":"):
                name, _, text = line.partition(":")
                event[name] = text.removeprefix(" ")
        return None

    def close(self):
        self.process.kill()
        self.process.wait(timeout=10)
