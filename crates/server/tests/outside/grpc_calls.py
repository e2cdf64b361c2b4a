"""Every method of the service by Python's grpcio, once by generated stubs and once by reflection.

What comes back is checked here: lines are hashed, receipts compared with records, proofs and notes verified.
"""
import itertools
import json
import queue
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from evidence import Line, chained, grown, included, opened
from grpc_ways import SERVICE, Reflection, Stubs, details, refused
from service import Service, free_port, main, section, standard, told, verifier_key

CODE = grpc.StatusCode
PATIENCE = 30
METHODS = {
    "Append": (False, False), "AppendBatch": (False, False), "AppendStream": (True, True), "GetRecord": (False, False),
    "Query": (False, True), "Tail": (False, True), "GetCheckpoint": (False, False), "GetInclusionProof": (False, False),
    "GetConsistencyProof": (False, False),
}


class Calls:
    """All calls, over one of the two ways."""

    def __init__(self, way, key, tag):
        self.way, self.key, self.tag = way, key, tag

    def __getattr__(self, name):
        call = self.way.call(name)
        return lambda request, **more: call(request, **({"timeout": PATIENCE} | more))

    def new(self, name, **fields):
        return self.way.message(name)(**fields)

    def event(self, what, **more):
        return self.new("Event", **({"actor": "agent:7", "action": what, "resource": f"test/{self.tag}"} | more))

    def append(self, event, log=""):
        return self.Append(self.new("AppendRequest", log=log, event=event)).receipt

    def line(self, seq, log=""):
        record = self.GetRecord(self.new("GetRecordRequest", log=log, seq=seq)).record
        line = Line(record.line)
        assert line.seq == record.seq == seq
        return line

    def matches(self, receipt, log=""):
        line = self.line(receipt.seq, log)
        line.agrees({"seq": receipt.seq, "timestamp": receipt.timestamp, "hash": receipt.hash})
        return line

    def query(self, **request):
        """Lines, and the cursor of the end, which must be the last message."""
        lines, cursor = [], None
        for item in self.Query(self.new("QueryRequest", **request)):
            assert cursor is None, "a message after the end"
            if item.WhichOneof("item") == "end":
                cursor = item.end.cursor
            else:
                lines.append(Line(item.record.line))
                assert lines[-1].seq == item.record.seq
        assert cursor is not None, "no end"
        return lines, cursor

    # One function a method.

    def check_methods(self):
        assert self.way.methods() == METHODS, self.way.methods()

    def check_append(self):
        session = '{"id":"s-1","n":123456789012345678901234567890,"f":1.0,"u":"\\u0041"}'
        event = self.event("append.all", event_id=f"{self.tag}-all", event_time="2026-01-02T03:04:05.123456789+01:00",
                           outcome=2, parent_id="before", session_json=session, metadata_json='{ "a" : [ 1 , null ] }')
        receipt = self.append(event)
        line = self.matches(receipt)
        assert not receipt.duplicate and len(receipt.log_id) == 32
        # Numbers and escapes are the client's own; only white space is gone.
        assert f'"session":{session},'.encode() in line.entry, line.raw
        assert b'"metadata":{"a":[1,null]},' in line.entry, line.raw
        stored = json.loads(line.raw)
        assert stored["event_id"] == f"{self.tag}-all" and stored["outcome"] == "failure", stored
        assert stored["recorded_by"] == "anonymous:loopback", stored
        again = self.append(event)
        assert again.duplicate and (again.seq, again.hash) == (receipt.seq, receipt.hash), again
        other = self.event("append.other", event_id=f"{self.tag}-all")
        refused(lambda: self.append(other), CODE.ALREADY_EXISTS, "conflict")
        # The second log has a chain of its own.
        there = self.append(self.event("append.second"), log="second")
        self.matches(there, log="second")
        assert there.log_id != receipt.log_id

    def check_refusals(self):
        def event_refused(code, reason, **fields):
            refused(lambda: self.append(self.event("refused", **fields)), code, reason)

        for fields in ({"actor": ""}, {"actor": "indelible"}, {"action": "indelible.log.create"}, {"resource": "x" * 1025},
                       {"event_id": "x" * 257}, {"event_time": "yesterday"}, {"session_json": "[]"},
                       {"session_json": '{"a":1,"a":2}'}, {"metadata_json": "{"}, {"metadata_json": '{"a":' * 40 + "1" + "}" * 40}):
            event_refused(CODE.INVALID_ARGUMENT, "invalid_event", **fields)
        event_refused(CODE.RESOURCE_EXHAUSTED, "too_large", metadata_json=json.dumps({"a": "x" * 70_000}))
        refused(lambda: self.append(self.event("refused", outcome=99)), CODE.INVALID_ARGUMENT, "invalid_argument", field="outcome")
        refused(lambda: self.Append(self.new("AppendRequest")), CODE.INVALID_ARGUMENT, "invalid_argument", field="event")
        refused(lambda: self.append(self.event("refused"), log="nowhere"), CODE.NOT_FOUND, "not_found", field="log")
        # Over the limit of a whole message.
        huge = self.new("AppendBatchRequest", events=[self.event("x", metadata_json=json.dumps({"a": "x" * 60_000}))] * 80)
        refused(lambda: self.AppendBatch(huge), CODE.RESOURCE_EXHAUSTED, "too_large")
        lines, _ = self.query(filter={"action": "refused", "resource": f"test/{self.tag}"})
        assert not lines, f"refused, and recorded: {lines[0].raw}"

    def check_batch(self):
        events = [self.event("batch", event_id=f"{self.tag}-b{i}") for i in range(64)]
        results = self.AppendBatch(self.new("AppendBatchRequest", events=events)).results
        receipts = [r.receipt for r in results if r.WhichOneof("outcome") == "receipt"]
        assert len(receipts) == 64 and [r.seq for r in receipts] == sorted(r.seq for r in receipts)
        for receipt, event in zip(receipts[::21], events[::21]):
            assert json.loads(self.matches(receipt).raw)["event_id"] == event.event_id
        # Checked whole before anything is queued.
        events = [self.event("batch.bad") for _ in range(5)] + [self.event("")]
        refused(lambda: self.AppendBatch(self.new("AppendBatchRequest", events=events)),
                CODE.INVALID_ARGUMENT, "invalid_event", index="5")
        refused(lambda: self.AppendBatch(self.new("AppendBatchRequest")), CODE.INVALID_ARGUMENT, "invalid_argument")
        many = [self.event("batch.bad")] * 1001
        refused(lambda: self.AppendBatch(self.new("AppendBatchRequest", events=many)), CODE.RESOURCE_EXHAUSTED, "too_large")
        lines, _ = self.query(filter={"action": "batch.bad"})
        assert not lines, f"a batch was refused, and this recorded: {lines[0].raw}"

    def check_stream(self):
        """2,000 events with 256 in flight; every hundredth is bad, and ends nothing."""
        count, bad, room = 2000, 100, threading.Semaphore(256)

        def requests():
            for i in range(count):
                assert room.acquire(timeout=PATIENCE)
                actor = "" if i % bad == bad - 1 else "agent:7"
                yield self.new("AppendStreamRequest", request_id=7_000_000_000 + i,
                               event=self.event("stream", actor=actor, event_id=f"{self.tag}-s{i}"))

        receipts = {}
        asked = itertools.count(7_000_000_000)
        for answer in self.AppendStream(requests()):
            room.release()
            assert answer.request_id == next(asked), f"{answer.request_id} is out of order"
            i = answer.request_id - 7_000_000_000
            outcome = answer.WhichOneof("outcome")
            if i % bad == bad - 1:
                assert outcome == "rejected" and answer.rejected.code == "invalid_event" and answer.rejected.message, answer
            else:
                assert outcome == "receipt", answer
                receipts[i] = answer.receipt
        assert len(receipts) == count - count // bad, len(receipts)
        seqs = [r.seq for r in receipts.values()]
        assert seqs == sorted(set(seqs)), "not in order of seq"
        for i in (0, 1000, count - 2):
            assert json.loads(self.matches(receipts[i]).raw)["event_id"] == f"{self.tag}-s{i}"

    def check_stream_both_ways(self):
        """The answer to one event comes before the next one is sent, and each item may name its log."""
        sent = queue.Queue()
        answers = self.AppendStream(iter(sent.get, None))
        for i, log in enumerate(("", "second", "default", "nowhere", "second")):
            sent.put(self.new("AppendStreamRequest", request_id=i, log=log, event=self.event("turns")))
            answer = next(answers)
            assert answer.request_id == i
            if log == "nowhere":
                assert answer.rejected.code == "not_found", answer
            else:
                self.matches(answer.receipt, log)
        sent.put(None)
        assert next(answers, None) is None, "an answer that nobody asked for"

    def check_records(self):
        self.line(0)
        refused(lambda: self.line(1 << 40), CODE.NOT_FOUND, "not_found")
        refused(lambda: self.line(0, log="nowhere"), CODE.NOT_FOUND, "not_found", field="log")

    def check_query(self):
        everything, cursor = self.query()
        assert cursor == "" or self.query(cursor=cursor)[0] == [], "a cursor behind the end gives records"
        chained(everything)
        assert everything[0].prev == "0" * 64 and everything[0].seq == 0
        newest, _ = self.query(order=2, limit=10)
        assert [line.seq for line in newest] == [line.seq for line in everything[-10:]][::-1]
        # Page by page is the same as at once.
        pages, cursor = [], ""
        while True:
            page, cursor = self.query(filter={"action": "batch", "resource": f"test/{self.tag}"}, limit=10, cursor=cursor)
            pages += page
            if not cursor:
                break
            assert page
        assert len(pages) == 64 and len({line.seq for line in pages}) == 64, len(pages)
        some, _ = self.query(first_seq=3, last_seq=5)
        assert [line.seq for line in some] == [3, 4, 5]
        one, _ = self.query(filter={"event_id": f"{self.tag}-all", "session": [{"path": "id", "glob": "s-?"}], "outcome": "fail*"})
        assert len(one) == 1, one
        refused(lambda: self.query(cursor="not a cursor"), CODE.INVALID_ARGUMENT, "invalid_argument", field="cursor")
        refused(lambda: self.query(filter={"since": "yesterday"}), CODE.INVALID_ARGUMENT, "invalid_argument")
        refused(lambda: self.query(log="nowhere"), CODE.NOT_FOUND, "not_found", field="log")

    def check_tail(self):
        """From a seq on, then what comes; a second one from now on, with a filter."""
        first = self.append(self.event("tail.before"))
        tail = self.Tail(self.new("TailRequest", from_seq=first.seq))
        lines = [Line(next(tail).record.line)]
        assert lines[0].seq == first.seq
        fresh = self.Tail(self.new("TailRequest", filter={"action": "tail.later", "resource": f"test/{self.tag}"}))
        # Absent from_seq begins with what becomes durable next; when the stream has begun is told by its headers.
        fresh.initial_metadata()
        for i in range(5):
            self.append(self.event("tail.other"))
            receipt = self.append(self.event("tail.later"))
            line = Line(next(fresh).record.line)
            line.agrees({"seq": receipt.seq, "timestamp": receipt.timestamp, "hash": receipt.hash})
            lines += [Line(next(tail).record.line) for _ in range(2)]
        chained(lines)
        for stream in (tail, fresh):
            stream.cancel()
        refused(lambda: self.Tail(self.new("TailRequest", filter={"since": "2026-01-01T00:00:00Z"})),
                CODE.INVALID_ARGUMENT, "invalid_argument")

    def covering(self, seq):
        """Asks for a proof until a checkpoint covers the record, as the error says that one should."""
        for _ in range(20):
            try:
                return self.GetInclusionProof(self.new("GetInclusionProofRequest", seq=seq))
            except grpc.RpcError as error:
                code, reason, _, pause = details(error)
                assert (code, reason) == (CODE.FAILED_PRECONDITION, "not_covered") and pause, error
                threading.Event().wait(min(pause, 0.5))
        raise AssertionError(f"no checkpoint covers record {seq}")

    def check_proofs(self):
        self.covering(1)
        note = self.GetCheckpoint(self.new("GetCheckpointRequest")).checkpoint
        early, early_root = opened(note, self.key)
        receipt = self.append(self.event("proofs"))
        proof = self.covering(receipt.seq)
        size, root = opened(proof.checkpoint, self.key)
        line = self.line(receipt.seq)
        assert (proof.seq, proof.tree_size) == (receipt.seq, size) and proof.leaf_hash == line.leaf(), proof
        assert included(receipt.seq, size, line.leaf(), proof.hashes) == root
        assert proof.tlog_proof.startswith("c2sp.org/tlog-proof@v1\n") and proof.tlog_proof.endswith(proof.checkpoint)
        old = self.GetInclusionProof(self.new("GetInclusionProofRequest", seq=1, tree_size=early))
        assert included(1, early, self.line(1).leaf(), old.hashes) == early_root and not old.tlog_proof
        growth = self.GetConsistencyProof(self.new("GetConsistencyProofRequest", from_size=early, to_size=size))
        assert (growth.from_size, growth.to_size) == (early, size)
        assert grown(early, size, early_root, growth.hashes) == root
        newest = self.GetConsistencyProof(self.new("GetConsistencyProofRequest", from_size=early))
        assert grown(early, newest.to_size, early_root, newest.hashes) == opened(newest.checkpoint, self.key)[1]
        refused(lambda: self.GetConsistencyProof(self.new("GetConsistencyProofRequest")), CODE.INVALID_ARGUMENT, "invalid_argument")
        refused(lambda: self.GetConsistencyProof(self.new("GetConsistencyProofRequest", from_size=5, to_size=3)),
                CODE.INVALID_ARGUMENT, "invalid_argument")
        refused(lambda: self.GetInclusionProof(self.new("GetInclusionProofRequest", seq=1 << 40)), CODE.NOT_FOUND, "not_found")

    def check_cancelled(self):
        """A request that was cancelled after it was queued is written, or was not queued: a retry has it once."""
        event = self.event("cancelled", event_id=f"{self.tag}-cancelled")
        call = self.way.call("Append").future(self.new("AppendRequest", event=event), timeout=PATIENCE)
        call.cancel()
        receipt = self.append(event)
        self.matches(receipt)
        lines, _ = self.query(filter={"event_id": f"{self.tag}-cancelled"})
        assert [line.seq for line in lines] == [receipt.seq]


def check_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", SERVICE):
        assert health.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE).status == serving, name
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert next(watch).status == serving
    watch.cancel()
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=PATIENCE)
    except grpc.RpcError as error:
        assert error.code() == CODE.NOT_FOUND, error
    else:
        raise AssertionError("the health of a service that is not there")


def check_unknown(channel):
    for path in (f"/{SERVICE}/Delete", "/indelible.v1.Nobody/Append", "/nothing"):
        call = channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        try:
            call(b"", timeout=PATIENCE)
        except grpc.RpcError as error:
            assert error.code() == CODE.UNIMPLEMENTED, f"{path}: {error}"
        else:
            raise AssertionError(f"{path} answers")


def check_reflection_v1(channel, reflection):
    """v1 has the messages of v1alpha in a package of its own."""
    from grpc_reflection.v1alpha import reflection_pb2
    call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                 request_serializer=lambda m: m.SerializeToString(),
                                 response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(call(iter([request]), timeout=PATIENCE))
    names = sorted(s.name for s in answer.list_services_response.service)
    must = {SERVICE, "grpc.health.v1.Health"}
    # Each version may leave out the other.
    for version, told_names in (("v1", names), ("v1alpha", reflection.services())):
        own = f"grpc.reflection.{version}.ServerReflection"
        assert must | {own} <= set(told_names), f"{version} says {told_names}"
    told(f"reflection, v1 and v1alpha: {', '.join(names)}")


def check_same_protocol(stubs, reflection):
    """What the service says of itself is what stands in proto/."""
    for name in ("Event", "Receipt", "AppendResult", "QueryRequest", "GetInclusionProofResponse"):
        ours, theirs = (w.message(name).DESCRIPTOR.fields for w in (stubs, reflection))
        assert [(f.name, f.number, f.type) for f in ours] == [(f.name, f.number, f.type) for f in theirs], name


def check(place, started):
    port, admin = free_port(), free_port()
    service = started(Service(place, standard(port, admin), admin=admin)).start()
    key = verifier_key(place / "audit")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stubs, reflection = Stubs(channel, place), Reflection(channel)
        check_health(channel)
        told("health: serving, watched, unknown service not found")
        check_unknown(channel)
        told("unknown methods and services: UNIMPLEMENTED")
        check_reflection_v1(channel, reflection)
        check_same_protocol(stubs, reflection)
        for tag, way in (("stubs", stubs), ("reflection", reflection)):
            section(f"grpcio by {tag}")
            calls = Calls(way, key, tag)
            for name in [n for n in vars(Calls) if n.startswith("check_")]:
                getattr(calls, name)()
                told(f"{name.removeprefix('check_').replace('_', ' ')}: as the protocol says")
    service.stop()


if __name__ == "__main__":
    main(check)
