"""The real events of ../shared/data by eight clients at once, while the service is killed twenty times.

Each event is sent by two clients of different kinds, which retry by event_id until they hold a receipt. At the end every
event is in the log exactly once and as it was sent, both receipts of each are its record's, `indelible verify --receipts`
is clean, and the checkers of others agree.
"""
import collections
import json
import os
import pathlib
import queue
import random
import subprocess
import threading
import time

import grpc

from curl import NoAnswer, curl
from evidence import Line, chained
from grpc_ways import Stubs, details
from service import INDELIBLE, ROOT, SHARED, SKIPPED, Service, command, free_port, main, standard, told, verifier_key

KILLS = 20
SEED = int(os.environ.get("OUTSIDE_SEED", "2917"))
PATIENCE = 10
#: Of one client without any progress: then something is broken, not slow.
STUCK = 60
#: What a client may be told while a service crashes and comes back: try again. Anything else is a failure.
AGAIN = {"not_ready", "queue_full", "indeterminate", "shutting_down", "not_written"}
RECEIPT = ("log_id", "seq", "timestamp", "hash")


class Unexpected(AssertionError):
    pass


def events():
    found = []
    for path in sorted((SHARED / "data").glob("*.jsonl")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()):
            event = json.loads(text)
            event.setdefault("event_id", f"{path.stem}:{number}")
            found.append(event)
    ids = collections.Counter(e["event_id"] for e in found)
    assert max(ids.values()) == 1, ids.most_common(3)
    return found


class Client(threading.Thread):
    """Takes chunks until none is left; each is sent again and again until every event of it has a receipt."""

    def __init__(self, port, chunks, receipts, place):
        super().__init__(daemon=True)
        self.port, self.chunks, self.receipts, self.place = port, chunks, receipts, place
        self.tries, self.failure, self.last = 0, None, "nothing was tried"

    def run(self):
        try:
            self.connect()
            while True:
                try:
                    waiting = {e["event_id"]: e for e in self.chunks.get_nowait()}
                except queue.Empty:
                    return
                began = time.monotonic()
                while waiting:
                    self.tries += 1
                    for event_id, receipt in self.send(list(waiting.values())):
                        self.receipts.append((event_id, {name: receipt[name] for name in RECEIPT}))
                        del waiting[event_id]
                        began = time.monotonic()
                    if time.monotonic() - began > STUCK:
                        raise Unexpected(f"no receipt in {STUCK} s; last: {self.last}")
                    if waiting:
                        time.sleep(0.02)
        except BaseException as error:  # told by the main thread
            self.failure = error

    def connect(self):
        pass

    def send(self, events):
        """Yields event_id and receipt of those that were committed."""
        raise NotImplementedError

    def again(self, code, text):
        self.last = f"{code}: {text}"
        if code not in AGAIN:
            raise Unexpected(f"{type(self).__name__}: {self.last}")


class Grpc(Client):
    def connect(self):
        options = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20),
                   ("grpc.max_reconnect_backoff_ms", 200), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options)
        self.way = self.place

    def event(self, event):
        outcomes = {"success": 1, "failure": 2, "denied": 3, "unknown": 4}
        fields = {k: v for k, v in event.items() if k not in ("outcome", "session", "metadata")}
        for name in ("session", "metadata"):
            if name in event:
                fields[f"{name}_json"] = json.dumps(event[name])
        return self.message("Event")(**fields, outcome=outcomes.get(event.get("outcome"), 0))

    def message(self, name):
        return self.way.message(name)

    def call(self, name):
        return getattr(self.way.messages_grpc.AuditServiceStub(self.channel), name)

    def failed(self, error):
        code, reason, _, _ = details(error)
        if reason is None and code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
            self.last = f"{code}: {error.details()}"  # the connection went, and with it any word from the service
            return
        self.again(reason, f"{code}: {error.details()}")

    def receipt(self, receipt):
        return {name: getattr(receipt, name) for name in RECEIPT}

    def result(self, event, result):
        """Of a batch or a stream."""
        outcome = result.WhichOneof("outcome")
        if outcome == "receipt":
            yield event["event_id"], self.receipt(result.receipt)
        else:
            failure = getattr(result, outcome)
            self.again(failure.code, failure.message)


class Unary(Grpc):
    """gRPC, one event a call."""

    def send(self, events):
        for event in events:
            try:
                request = self.message("AppendRequest")(event=self.event(event))
                yield event["event_id"], self.receipt(self.call("Append")(request, timeout=PATIENCE).receipt)
            except grpc.RpcError as error:
                self.failed(error)


class Batch(Grpc):
    """gRPC, a chunk a call."""

    def send(self, events):
        try:
            request = self.message("AppendBatchRequest")(events=[self.event(e) for e in events])
            results = self.call("AppendBatch")(request, timeout=PATIENCE).results
        except grpc.RpcError as error:
            self.failed(error)
            return
        assert len(results) == len(events)
        for event, result in zip(events, results):
            yield from self.result(event, result)


class Stream(Grpc):
    """gRPC, a chunk in flight on a stream."""

    def send(self, events):
        new = self.message("AppendStreamRequest")
        requests = [new(request_id=i, event=self.event(e)) for i, e in enumerate(events)]
        try:
            for answer in self.call("AppendStream")(iter(requests), timeout=PATIENCE):
                yield from self.result(events[answer.request_id], answer)
        except grpc.RpcError as error:
            self.failed(error)


class Curl(Client):
    KIND = "application/json"

    def post(self, body):
        try:
            answer = curl(f"http://127.0.0.1:{self.port}/v1/records", "-H", f"Content-Type: {self.KIND}", body=body,
                          seconds=PATIENCE)
        except NoAnswer as error:
            # Refused, cut off within an answer or before it, reset, time-out: the service is gone.
            if error.status not in (7, 18, 28, 52, 55, 56):
                raise
            self.last = str(error)
            return None
        if answer.kind == "application/problem+json":
            self.again(answer.json()["code"], str(answer))
            return None
        return answer


class Post(Curl):
    """curl, one event a request."""

    def send(self, events):
        for event in events:
            answer = self.post(json.dumps(event))
            if answer:
                assert answer.status in (200, 201), answer
                yield event["event_id"], answer.json()


class Lines(Curl):
    """curl, a chunk a request, as application/x-ndjson."""

    KIND = "application/x-ndjson"

    def send(self, events):
        answer = self.post("".join(json.dumps(e) + "\n" for e in events))
        if not answer:
            return
        lines = [json.loads(line) for line in answer.lines()]
        assert len(lines) == len(events), answer
        for event, line in zip(events, lines):
            if "seq" in line:
                yield event["event_id"], line
            else:
                assert answer.status >= 400, answer
                self.again(line["error"]["code"], str(line))


def chunks_of(events, size):
    out = queue.Queue()
    for i in range(0, len(events), size):
        out.put(events[i: i + size])
    return out


def clients(port, place, found, receipts):
    """Eight clients in two fours; the events go once through each four."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        way = Stubs(channel, place)
    import importlib
    way.messages_grpc = importlib.import_module("indelible.v1.audit_pb2_grpc")
    turned = found[len(found) // 2:] + found[: len(found) // 2]
    first, second = chunks_of(found, 8), chunks_of(turned, 8)
    return [kind(port, chunks, receipts, way) for kind, chunks in (
        (Unary, first), (Stream, first), (Post, first), (Lines, first),
        (Batch, second), (Stream, second), (Post, second), (Unary, second))]


def check_records(folder, found, receipts):
    """What stands in the files, read here, against what was sent and what was answered."""
    names = sorted(folder.glob("audit.log*"), key=lambda p: -int(p.suffix[1:]) if p.suffix[1:].isdigit() else 0)
    lines = chained([Line(raw) for name in names for raw in name.read_bytes().split(b"\n")[:-1]])
    by_seq = {line.seq: line for line in lines}
    stored = collections.defaultdict(list)
    own = collections.Counter()
    for line in lines:
        record = json.loads(line.raw)
        if record["actor"] == "indelible":
            own[record["action"]] += 1
        else:
            stored[record["event_id"]].append((line, record))
    assert len(stored) == len(found), f"{len(stored)} events are recorded, {len(found)} were sent"
    for event in found:
        [(line, record)] = stored[event["event_id"]]
        kept = {k: v for k, v in record.items() if k in event}
        assert kept == event, f"record {line.seq} is not what was sent: {line.raw!r}"
    for event_id, receipt in receipts:
        line = by_seq[receipt["seq"]]
        line.agrees(receipt)
        assert stored[event_id][0][0] is line, f"a receipt of {event_id} names record {line.seq}"
    told(f"{len(lines)} records: each of {len(found)} events exactly once, {len(receipts)} receipts match")
    told("the log's own: " + ", ".join(f"{count} {action}" for action, count in sorted(own.items())))


def check(place, started):
    if not (SHARED / "data").is_dir():
        print(f"   no real events at {SHARED}/data", flush=True)
        raise SystemExit(SKIPPED)
    found, receipts, chance = events(), [], random.Random(SEED)
    port, admin = free_port(), free_port()
    tables = standard(port, admin)
    del tables["log.second"]
    tables["log.default"]["max_file_size"] = "512KiB"
    service = started(Service(place, tables, admin=admin)).start()
    folder = place / "audit"
    key = verifier_key(folder)
    working = clients(port, place, found, receipts)
    for client in working:
        client.start()
    # Each kill comes when so many receipts are there, so that it always meets clients at work.
    goal = 2 * len(found)
    at = sorted(chance.sample(range(goal // 50, goal - goal // 20), KILLS))
    began = time.monotonic()
    for kill, count in enumerate(at):
        while len(receipts) < count:
            failed = [c for c in working if c.failure]
            if failed:
                raise failed[0].failure
            assert time.monotonic() - began < 150, f"{len(receipts)} receipts of {goal} after {kill} kills"
            time.sleep(0.001)
        time.sleep(chance.random() * 0.01)
        service.kill()
        service.start(wait=False)
        service.wait_until_ready()
    for client in working:
        client.join(timeout=STUCK)
        if client.failure:
            raise client.failure
        assert not client.is_alive(), f"{type(client).__name__} does not end; last: {client.last}"
    tries = sum(c.tries for c in working)
    told(f"{goal} receipts to {len(working)} clients over {KILLS} kills in {time.monotonic() - began:.0f} s "
         f"({tries} tries for {goal // 8 + 1} chunks; seed {SEED})")
    service.stop()
    check_records(folder, found, receipts)
    kept = place / "receipts.jsonl"
    kept.write_text("".join(json.dumps(r) + "\n" for _, r in receipts), encoding="utf-8")
    done = command("verify", folder, "--key", key, "--receipts", kept)
    assert done.returncode == 0, f"verify --receipts ends with {done.returncode}:\n{done.stdout}{done.stderr}"
    told("indelible verify --key --receipts: clean")
    agree = subprocess.run(["bash", ROOT / "crates/cli/tests/agree", folder, key], capture_output=True, text=True, check=False,
                           env=os.environ | {"INDELIBLE": str(pathlib.Path(INDELIBLE).resolve()), "INDELIBLE_SHARED": str(SHARED)}, timeout=120)
    assert agree.returncode == 0, f"agree: {agree.stdout}{agree.stderr}"
    for line in agree.stdout.splitlines():
        told(line)


if __name__ == "__main__":
    main(check, seconds=280)
