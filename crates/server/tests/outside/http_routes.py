"""Every HTTP route by curl: status, content type, body; each under the default log and under a log's own name.

What comes back is checked here: lines are hashed, receipts compared with records.
"""
import base64
import json
import socket
import time
import urllib.parse

from curl import Events, NoAnswer, curl, post_json
from evidence import Line, chained, grown, opened
from service import Service, free_port, main, section, standard, told, verifier_key

LINES = "application/x-ndjson"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
EVENT = {"actor": "agent:7", "action": "read", "resource": "file:/etc/hosts"}


class Log:
    """One log by its paths."""

    def __init__(self, root, url, key):
        self.root, self.url, self.key = root, url, key

    def get(self, path, *args, **query):
        tail = "?" + urllib.parse.urlencode(query, doseq=True) if query else ""
        return curl(f"{self.url}/{path}{tail}", *args)

    def post(self, event, *args):
        return post_json(f"{self.url}/records", event, *args)

    def post_lines(self, body):
        return curl(f"{self.url}/records", "-H", f"Content-Type: {LINES}", body=body)

    def line(self, seq):
        body = self.get(f"records/{seq}").is_(200, JSON).body
        assert body.endswith(b"\n")
        line = Line(body[:-1])
        assert line.seq == seq
        return line

    def find(self, **query):
        answer = self.get("records", **query).is_(200, LINES)
        return [Line(line) for line in answer.lines()], answer

    def check_append(self):
        event = EVENT | {"event_id": "once", "outcome": "denied", "session": {"id": "s-1"}, "metadata": {"n": 1}}
        answer = self.post(event).is_(201, JSON)
        receipt = answer.json()
        assert answer.headers["location"] == [f"{urllib.parse.urlsplit(self.url).path}/records/{receipt['seq']}"], answer
        line = self.line(receipt["seq"])
        line.agrees(receipt)
        stored = json.loads(line.raw)
        assert {k: stored[k] for k in event} == event and stored["recorded_by"] == "anonymous:loopback", stored
        again = self.post(event).is_(200, JSON).json()
        assert again == receipt | {"duplicate": True}, again
        self.post(event | {"action": "other"}).problem(409, "conflict")
        # What a client wrote comes back as it wrote it.
        raw = '{"actor":"a","action":"b","resource":"c","session":{"n":123456789012345678901234567890,"f":1.0,"u":"\\u0041"}}'
        line = self.line(self.post(raw).is_(201).json()["seq"])
        assert raw.encode()[1:-1] in line.entry, line.raw

    def check_lines(self):
        events = [EVENT | {"action": "lines", "event_id": f"l{i}"} for i in range(40)]
        body = "\n".join(map(json.dumps, events)) + "\n"
        receipts = [json.loads(line) for line in self.post_lines(body).is_(201, LINES).lines()]
        assert len(receipts) == 40
        for receipt in receipts[::13]:
            self.line(receipt["seq"]).agrees(receipt)
        again = [json.loads(line) for line in self.post_lines(body).is_(200, LINES).lines()]
        assert again == [receipt | {"duplicate": True} for receipt in receipts]
        # Checked whole before anything is queued.
        bad = "\n".join([json.dumps(EVENT | {"action": "lines.bad"})] * 3 + ["{}"])
        answer = self.post_lines(bad).problem(400, "invalid_event")
        assert answer.json()["index"] == 3, answer
        assert self.find(action="lines.bad")[0] == []

    def check_refusals(self):
        for event in (EVENT | {"actor": ""}, EVENT | {"actor": "indelible"}, EVENT | {"seq": 7}, EVENT | {"_hash": "x"}, EVENT | {"who": 1},
                      {"actor": "a"}, EVENT | {"recorded_by": "root"}, EVENT | {"outcome": "maybe"}, EVENT | {"session": []},
                      '{"actor":"a","actor":"a","action":"b","resource":"c"}', "{", b'{"actor":"\xff","action":"b","resource":"c"}'):
            self.post(event).problem(400, "invalid_event")
        for event in ("", "[]"):
            self.post(event).problem(400, "invalid_argument")
        self.post(EVENT | {"metadata": {"a": "x" * 70_000}}).problem(413, "too_large")
        self.post(b" " * (4 << 20) + b"{}").problem(413, "too_large")
        # Without Content-Length, too.
        self.post(b" " * (4 << 20) + b"{}", "-H", "Transfer-Encoding: chunked").problem(413, "too_large")
        self.post_lines((json.dumps(EVENT) + "\n") * 1001).problem(413, "too_large")
        # What a page in somebody's browser could send, and what is no JSON.
        for kind in ("Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type:",
                     "Content-Type: application/json; charset=latin1"):
            curl(f"{self.url}/records", "-H", kind, body=json.dumps(EVENT)).problem(415, "unsupported_media_type")
        self.post(EVENT, "-H", "Content-Encoding: gzip").problem(415, "unsupported_media_type")
        assert self.post(EVENT | {"action": "refused"}, "-H", "Content-Type: application/json; charset=utf-8").status == 201

    def check_browsers(self):
        for header in ("Host: evil.example", "Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
            answer = self.post(EVENT | {"action": "browser"}, "-H", header)
            if not header.startswith("Sec"):
                assert answer.status == 403 and answer.kind == "application/problem+json", f"{header}: {answer}"
        assert not [line for line in self.find(action="browser")[0] if b"evil" in line.raw]
        answer = curl(f"{self.url}/records", "-X", "OPTIONS", "-H", "Origin: http://evil.example",
                      "-H", "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: content-type")
        assert not any(name.startswith("access-control-") for name in answer.headers), answer

    def check_records(self):
        assert self.line(0).prev == "0" * 64
        first = self.get("records/0")
        assert self.get("records/0", "-H", f"If-None-Match: {first.headers['etag'][0]}").is_(304).body == b""
        self.get("records/1099511627776").problem(404, "not_found")
        for seq in ("x", "-1", "1.0", "", "18446744073709551616"):
            answer = self.get(f"records/{seq}")
            assert answer.status in (400, 404) and answer.kind == "application/problem+json", f"{seq!r}: {answer}"

    def check_find(self):
        everything, answer = self.find()
        assert "indelible-cursor" not in answer.headers, answer.headers
        chained(everything)
        assert everything[0].seq == 0
        newest, _ = self.find(order="desc", limit=7)
        assert [x.seq for x in newest] == [x.seq for x in everything[::-1][:7]]
        # Page by page, both by the cursor and by the link, is the same as at once.
        by_cursor, (page, answer) = [], self.find(action="lines", limit=9)
        by_link = list(page)
        for _ in range(20):
            by_cursor += page
            if "indelible-cursor" not in answer.headers:
                break
            link = answer.headers["link"][0]
            assert link.startswith("<") and link.endswith('>; rel="next"'), link
            linked = curl(urllib.parse.urljoin(self.root, link[1: link.index(">")])).is_(200, LINES)
            by_link += [Line(line) for line in linked.lines()]
            page, answer = self.find(action="lines", limit=9, cursor=answer.headers["indelible-cursor"][0])
        assert [x.seq for x in by_cursor] == [x.seq for x in by_link] and len({x.seq for x in by_cursor}) == 40
        assert [x.seq for x in self.find(first_seq=2, last_seq=4)[0]] == [2, 3, 4]
        [one] = self.find(event_id="once", session="id=s-?", outcome="den*", recorded_by="anonymous:*")[0]
        assert self.find(since=one.timestamp, until=one.timestamp)[0] == []
        assert one.seq in [x.seq for x in self.find(since=one.timestamp)[0]]
        for name, text in (("cursor", "x"), ("limit", 0), ("limit", 1001), ("since", "yesterday"), ("order", "up"), ("first_seq", -1),
                           ("actr", "x"), ("session", "x")):
            answer = self.get("records", **{name: text}).problem(400, "invalid_argument")
            assert answer.json()["field"] == name, answer

    def check_tail(self):
        first = self.post(EVENT | {"action": "tail"}).is_(201).json()
        events = Events(f"{self.url}/tail?from_seq={first['seq']}")
        head = events.headers()
        assert head[0].split()[1] == "200" and "content-type: text/event-stream" in head, head
        lines = []
        for number in range(4):
            event = events.next()
            assert event["event"] == "record", event
            line = Line(event["data"].encode())
            assert event["id"] == str(line.seq), event
            lines.append(line)
            self.post(EVENT | {"action": "tail"})
        events.close()
        chained(lines)
        assert lines[0].seq == first["seq"]
        # A client that lost the connection says what it had last.
        events = Events(f"{self.url}/tail", "-H", f"Last-Event-ID: {lines[1].seq}")
        assert int(events.next()["id"]) == lines[2].seq
        events.close()
        self.get("tail", from_seq="x").problem(400, "invalid_argument")
        self.get("tail", since="2026-01-01T00:00:00Z").problem(400, "invalid_argument")

    def check_proofs(self):
        note = self.get("checkpoint").is_(200, TEXT).body.decode()
        size, _ = opened(note, self.key)
        proof = self.get(f"records/{size - 1}/proof").is_(200, TEXT).body.decode()
        assert proof.startswith("c2sp.org/tlog-proof@v1\n") and opened(proof.split("\n\n", 1)[1], self.key)[0] >= size
        # A record that no checkpoint covers yet is told so, and how long to wait.
        end = time.monotonic() + 20
        seq = self.post(EVENT).json()["seq"]
        while (answer := self.get(f"records/{seq}/proof")).status != 200:
            answer.problem(409, "not_covered")
            assert int(answer.headers["retry-after"][0]) >= 1 and time.monotonic() < end, answer
            time.sleep(0.1)
        self.get("records/1099511627776/proof").problem(404, "not_found")

    def check_growth(self):
        """From the checkpoint that is kept to the newest one, by the hashes of the proof."""
        kept, kept_root = opened(self.get("checkpoint").is_(200, TEXT).body.decode(), self.key)
        seq = self.post(EVENT).is_(201).json()["seq"]
        end = time.monotonic() + 20
        while opened(self.get("checkpoint").body.decode(), self.key)[0] <= seq:
            assert time.monotonic() < end, f"no checkpoint covers record {seq}"
            time.sleep(0.1)
        proof, note = self.get("consistency", **{"from": kept}).is_(200, TEXT).body.decode().split("\n\n", 1)
        first, *hashes = proof.splitlines()
        size, root = opened(note, self.key)
        assert first == f"old {kept}" and size > seq, proof
        assert grown(kept, size, kept_root, [base64.b64decode(line, validate=True) for line in hashes]) == root
        for query in ({}, {"from": 0}, {"from": "x"}):
            answer = self.get("consistency", **query).problem(400, "invalid_argument")
            assert answer.json()["field"] == "from", answer
        self.get("consistency", **{"from": 1 << 40}).problem(404, "not_found")

    def check_methods(self):
        for path, method, allow in (("records", "DELETE", "GET"), ("records", "PUT", "POST"), ("records/0", "DELETE", "GET"), ("records/0", "POST", "GET"),
                                    ("records/0", "PATCH", "GET"), ("tail", "POST", "GET"), ("checkpoint", "PUT", "GET"), ("records/0/proof", "POST", "GET")):
            # Without the content type a POST is refused sooner, as what a web page could send.
            kind = ("-H", f"Content-Type: {JSON}") if method == "POST" else ()
            answer = curl(f"{self.url}/{path}", "-X", method, *kind).problem(405, "method_not_allowed")
            assert allow in answer.headers["allow"][0], answer
        head = curl(f"{self.url}/records/0", "-I")
        assert head.status == 200 and head.kind == JSON, head


def check_public(url, key):
    document = curl(f"{url}/openapi.json").is_(200, JSON).json()
    assert document["openapi"].startswith("3.")
    must = {"/v1/records", "/v1/records/{seq}", "/v1/records/{seq}/proof", "/v1/consistency", "/v1/tail", "/checkpoint"}
    must |= {path.replace("/v1/", "/v1/logs/{log}/") for path in must if path.startswith("/v1")}
    assert must <= set(document["paths"]), must - set(document["paths"])
    opened(curl(f"{url}/checkpoint").is_(200, TEXT).body.decode(), key)
    for path in ("", "/", "/v1", "/v2/records", "/v1/record", "/v1/records/0/proofs", "/v1/logs", "/favicon.ico", "/checkpoint/x", "/tile"):
        curl(f"{url}{path}").problem(404, "not_found")
        curl(f"{url}{path}", "-X", "DELETE").problem(404, "not_found")
    for path in ("records", "records/0", "tail", "checkpoint"):
        answer = curl(f"{url}/v1/logs/nowhere/{path}").problem(404, "not_found")
        assert answer.json()["field"] == "log", answer
    told("/openapi.json, /checkpoint; unknown paths and logs: 404")


def check_versions(url):
    event = json.dumps(EVENT)
    for flags, version in (((), "1.1"), (("--http2-prior-knowledge",), "2"), (("--http1.0",), None), (("--http2",), None)):
        answer = post_json(f"{url}/v1/records", event, *flags).is_(201, JSON)
        assert version in (None, answer.version), f"{flags}: {answer}"
    told("HTTP/1.1, HTTP/2 with prior knowledge, HTTP/1.0, an offer to upgrade")


def check_raw(port):
    """What no client sends: the service ends such a connection, and goes on."""
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /v1/records HTTP/1.1\r\n\r\n",
                 b"GET /v1/records HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                 b"POST /v1/records HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
            got = b""
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    got += chunk
            except OSError:  # it was reset
                pass
            assert not got or b" 4" in got.split(b"\r\n")[0], f"{sent[:60]!r}: {got[:200]!r}"
    told("garbage on the wire: refused or cut off")


def check_admin(admin):
    base = f"http://127.0.0.1:{admin}"
    for path in ("healthz", "readyz"):
        curl(f"{base}/{path}").is_(200)
    metrics = curl(f"{base}/metrics").is_(200)
    assert metrics.kind.startswith("text/plain; version=0.0.4"), metrics
    names = {line.split()[2] for line in metrics.body.decode().splitlines() if line.startswith("# TYPE")}
    for word in ("append", "sync", "queue", "checkpoint", "rotation", "refus", "free", "bytes", "group"):
        assert any(word in name for name in names), f"no metric about {word}: {sorted(names)}"
    assert all(name.startswith("indelible_") for name in names), sorted(names)
    told(f"admin: healthz, readyz, {len(names)} metrics")


def check(place, started):
    port, admin = free_port(), free_port()
    service = started(Service(place, standard(port, admin), admin=admin)).start()
    url = f"http://127.0.0.1:{port}"
    keys = {name: verifier_key(place / folder) for name, folder in (("default", "audit"), ("second", "second"))}
    logs = {"/v1/…": Log(url, f"{url}/v1", keys["default"]), "/v1/logs/second/…": Log(url, f"{url}/v1/logs/second", keys["second"])}
    for name, log in logs.items():
        section(f"curl {name}")
        for step in [n for n in vars(Log) if n.startswith("check_")]:
            getattr(log, step)()
            told(f"{step.removeprefix('check_')}: as documented")
    # The default log by its own name is the same log.
    assert curl(f"{url}/v1/logs/default/records/0").body == curl(f"{url}/v1/records/0").body != curl(f"{url}/v1/logs/second/records/0").body
    section("curl, the service")
    check_public(url, keys["default"])
    check_versions(url)
    check_raw(port)
    check_admin(admin)
    # A follower does not hold up the end.
    events = Events(f"{url}/v1/tail?from_seq=0")
    assert events.next()["id"] == "0"
    began = time.monotonic()
    service.stop()
    told(f"SIGTERM with a follower connected: ended in {time.monotonic() - began:.1f} s")
    try:
        curl(f"{url}/v1/records")
    except NoAnswer as error:
        assert error.status == 7, error
    else:
        raise AssertionError("answers after its end")


if __name__ == "__main__":
    main(check)
