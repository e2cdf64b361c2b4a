"""Two ways to a gRPC client that knows nothing of ours: stubs generated from the proto, and the service's own reflection."""
import importlib
import subprocess
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from service import ROOT

SERVICE = "indelible.v1.AuditService"


class Way:
    """Messages by name, and methods by name."""

    def message(self, name):
        raise NotImplementedError

    def methods(self):
        """Name, and whether requests and answers stream."""
        raise NotImplementedError

    def call(self, name):
        """What calls the method."""
        raise NotImplementedError


class Stubs(Way):
    """By what `protoc` makes of proto/."""

    def __init__(self, channel, place):
        out = place / "stubs"
        out.mkdir()
        subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}",
             f"--grpc_python_out={out}", "indelible/v1/audit.proto"], check=True, timeout=60)
        sys.path.insert(0, str(out))
        self.messages = importlib.import_module("indelible.v1.audit_pb2")
        self.stub = importlib.import_module("indelible.v1.audit_pb2_grpc").AuditServiceStub(channel)

    def message(self, name):
        return getattr(self.messages, name)

    def methods(self):
        service = self.messages.DESCRIPTOR.services_by_name["AuditService"]
        return {m.name: (m.client_streaming, m.server_streaming) for m in service.methods}

    def call(self, name):
        return getattr(self.stub, name)


class Reflection(Way):
    """By what the service says of itself."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)
        self.service = self.pool.FindServiceByName(SERVICE)

    def services(self):
        return sorted(self.database.get_services())

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"indelible.v1.{name}"))

    def methods(self):
        return {m.name: (m.client_streaming, m.server_streaming) for m in self.service.methods}

    def call(self, name):
        method = self.service.FindMethodByName(name)
        kind = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}
        make = getattr(self.channel, kind[method.client_streaming, method.server_streaming])
        answers = message_factory.GetMessageClass(method.output_type)
        return make(f"/{SERVICE}/{name}", request_serializer=lambda m: m.SerializeToString(),
                    response_deserializer=answers.FromString)


def details(error):
    """Code, reason (ErrorInfo), its metadata, and the seconds of RetryInfo, of what a call raised."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    reason, more, pause = None, {}, None
    if raw is not None:
        status = status_pb2.Status.FromString(raw)
        assert status.code == error.code().value[0] and status.message == error.details(), status
        for packed in status.details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if packed.Unpack(info):
                assert info.domain == "indelible", info
                reason, more = info.reason, dict(info.metadata)
            elif packed.Unpack(retry):
                pause = retry.retry_delay.ToTimedelta().total_seconds()
    return error.code(), reason, more, pause


def refused(call, code, reason, **metadata):
    """The call fails so, with these details; returns the error."""
    try:
        answer = call()
        if hasattr(answer, "__iter__"):
            answer = list(answer)
    except grpc.RpcError as error:
        got = details(error)
        assert got[:2] == (code, reason), f"expected {code} {reason}, got {got}: {error.details()}"
        for name, text in metadata.items():
            assert got[2].get(name) == text, f"expected {name}={text}: {got}"
        assert error.details(), "no message"
        return error
    raise AssertionError(f"expected {code} {reason}, got {answer}")
