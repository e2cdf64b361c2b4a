"""Who may do what, by curl and grpcio: TLS with tokens, mutual TLS, a Unix socket with peer credentials.

The certificates are openssl's. At the end no token stands in the service's log or in any record, and what was refused does.
"""
import json
import os
import signal
import time

import grpc

from certificates import Authority, serial
from curl import Events, NoAnswer, curl, post_json
from evidence import Line
from grpc_calls import Calls
from grpc_ways import Stubs, refused
from service import Service, command, free_port, main, standard, section, told, verifier_key

CODE = grpc.StatusCode
EVENT = {"actor": "agent:7", "action": "read", "resource": "file:/etc/hosts"}
AGENT = "spiffe://example.com/agent-7"


def tables(port, admin, place, **tls):
    out = standard(port, admin)
    out["listen"]["unix"] = str(place / "socket")
    out["tls"] = {name: str(path) for name, path in tls.items()}
    out["auth"] = {"tokens": "tokens"}
    out["principal"] = [
        {"name": "token:agent-7", "append": ["default"], "actors": ["agent:7", "agent:7/*"]},
        {"name": f"uid:{os.getuid()}", "admin": ["*"]},
    ]
    if "client_ca" in tls:
        out["principal"] += [{"name": f"cert:{AGENT}", "append": ["default"]},
                             {"name": "cert:auditor.example.com", "read": ["*"]}]
    return out


def new_token(place, name, *args):
    done = command("token", "new", "--tokens", place / "tokens", "--name", name, *args)
    assert done.returncode == 0, done
    [token] = done.stdout.split()
    return token


def until(what, seconds=15):
    """Waits for something that is taken up without a restart."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it is not taken up"
        time.sleep(0.1)


class Secure:
    """curl against the TLS port."""

    def __init__(self, port, authority):
        self.url, self.trust = f"https://localhost:{port}", ("--cacert", authority.certificate)

    def get(self, path, *args):
        return curl(f"{self.url}{path}", *self.trust, *args)

    def append(self, *args, event=EVENT):
        return post_json(f"{self.url}/v1/records", event, *self.trust, *args)


def bearer(token):
    return ("-H", f"Authorization: Bearer {token}")


def check_tokens(place, secure):
    section("TLS and tokens, by curl")
    append = new_token(place, "agent-7", "--role", "append", "--log", "default", "--expires", "90d")
    read = new_token(place, "auditor", "--role", "read", "--log", "default", "--expires", "90d")
    until(lambda: secure.append(*bearer(append)).status == 201)
    receipt = secure.append(*bearer(append)).is_(201).json()
    until(lambda: secure.get("/v1/records/0", *bearer(read)).status == 200)
    line = Line(secure.get(f"/v1/records/{receipt['seq']}", *bearer(read)).is_(200).body[:-1])
    line.agrees(receipt)
    assert json.loads(line.raw)["recorded_by"] == "token:agent-7", line.raw
    answer = secure.append(*bearer(append), "--http2").is_(201)
    assert answer.version == "2", answer
    told("over TLS, HTTP/1.1 and HTTP/2; recorded_by is the token's name")
    for args in ((), bearer("x"), bearer(append[:-1] + ("A" if append[-1] != "A" else "B")), ("-H", f"Authorization: Basic {append}")):
        answer = secure.append(*args).problem(401, "unauthenticated")
        assert answer.headers["www-authenticate"][0].startswith("Bearer"), answer
        assert append not in answer.body.decode()
    secure.get("/v1/records/0", *bearer(append)).problem(403, "permission_denied")
    secure.append(*bearer(read)).problem(403, "permission_denied")
    post_json(f"{secure.url}/v1/logs/second/records", EVENT, *secure.trust, *bearer(append)).problem(403, "permission_denied")
    secure.append(*bearer(append), event=EVENT | {"actor": "somebody else"}).problem(403, "permission_denied")
    secure.append(*bearer(append), event=EVENT | {"actor": "agent:7/tool"}).is_(201)
    told("no token, a wrong one: 401; another role, another log, another actor: 403")
    secure.get("/openapi.json").is_(200)
    secure.get("/checkpoint").is_(200)
    told("/openapi.json and a public tree need none")

    short = new_token(place, "short", "--role", "read", "--log", "default", "--expires", "2s")
    until(lambda: secure.get("/v1/records/0", *bearer(short)).status == 200)
    until(lambda: secure.get("/v1/records/0", *bearer(short)).status == 401)
    listed = command("token", "list", "--tokens", place / "tokens")
    assert "agent-7" in listed.stdout and append not in listed.stdout and listed.returncode == 0, listed
    done = command("token", "revoke", "--tokens", place / "tokens", "auditor")
    assert done.returncode == 0, done
    until(lambda: secure.get("/v1/records/0", *bearer(read)).status == 401)
    told("expired and revoked without a restart: 401")
    return append


def check_grpc(port, place, authority, token):
    section("TLS and tokens, by grpcio")
    trusted = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{port}", trusted) as channel:
        calls = Calls(Stubs(channel, place), None, "access")
        event = calls.new("AppendRequest", event=calls.event("over tls"))
        refused(lambda: calls.Append(event), CODE.UNAUTHENTICATED, "unauthenticated")
        refused(lambda: calls.Append(event, metadata=[("authorization", "Bearer x")]), CODE.UNAUTHENTICATED, "unauthenticated")
        mine = [("authorization", f"Bearer {token}")]
        assert calls.Append(event, metadata=mine).receipt.hash
        refused(lambda: calls.GetRecord(calls.new("GetRecordRequest"), metadata=mine), CODE.PERMISSION_DENIED, "permission_denied")
        other = calls.new("AppendRequest", event=calls.event("x", actor="somebody else"))
        refused(lambda: calls.Append(other, metadata=mine), CODE.PERMISSION_DENIED, "permission_denied")
    told("as over HTTP, with the same codes")


def check_reload(port, secure, authority, service, files):
    """A new certificate is shown after SIGHUP, and a follower of before goes on."""
    section("certificates reloaded")
    socket = ("--unix-socket", str(service.place / "socket"))
    events = Events("http://localhost/v1/tail?from_seq=0", *socket)
    assert events.next()["id"] == "0"
    before = serial(port)
    certificate, key = authority.issue("server-2", "localhost", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    os.replace(key, files[1])
    os.replace(certificate, files[0])
    service.process.send_signal(signal.SIGHUP)
    until(lambda: serial(port) != before)
    assert events.next()["id"] == "1"
    events.close()
    secure.get("/openapi.json").is_(200)
    told("the new one is shown; a follower of before went on")


def check_socket(place):
    section("a Unix socket, by curl")
    socket = ("--unix-socket", str(place / "socket"))
    receipt = post_json("http://localhost/v1/records", EVENT, *socket).is_(201).json()
    line = Line(curl(f"http://localhost/v1/records/{receipt['seq']}", *socket).is_(200).body[:-1])
    assert json.loads(line.raw)["recorded_by"] == f"uid:{os.getuid()}", line.raw
    post_json("http://localhost/v1/logs/second/records", EVENT, *socket).is_(201)
    assert not (place / "socket").stat().st_mode & 0o007, oct((place / "socket").stat().st_mode)
    told(f"recorded_by is uid:{os.getuid()}")


def check_mutual(place, started, authority):
    section("mutual TLS, by curl")
    port, admin = free_port(), free_port()
    certificate, key = authority.issue("mutual", "localhost", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    content = tables(port, admin, place, certificate=certificate, key=key, client_ca=authority.certificate)
    del content["auth"]
    content["principal"] = [p for p in content["principal"] if not p["name"].startswith("token:")]
    (place / "mutual").mkdir()
    content["listen"]["unix"] = str(place / "mutual/socket")
    service = started(Service(place / "mutual", content, admin=admin)).start()
    secure = Secure(port, authority)

    def shown(name, *args, by=authority):
        certificate, key = by.issue(name, *args, "clientAuth")
        return ("--cert", certificate, "--key", key)

    agent = shown("agent", "somebody", f"URI:{AGENT}")
    auditor = shown("auditor", "somebody", "DNS:auditor.example.com")
    receipt = secure.append(*agent).is_(201).json()
    line = Line(secure.get(f"/v1/records/{receipt['seq']}", *auditor).is_(200).body[:-1])
    assert json.loads(line.raw)["recorded_by"] == f"cert:{AGENT}", line.raw
    secure.get("/v1/records/0", *agent).problem(403, "permission_denied")
    secure.append(*auditor).problem(403, "permission_denied")
    told("the principal is the certificate's URI or DNS name, each with its role")
    # Never the common name; and somebody whom nobody configured has no role.
    for name, common, alternative in (("cn", "auditor.example.com", None), ("other", "auditor.example.com", "DNS:other.example.com")):
        answer = secure.get("/v1/records/0", *shown(name, common, alternative))
        assert answer.status in (401, 403), answer
    stranger = Authority(place / "strangers", "stranger")
    for args in ((), shown("forged", "x", "DNS:auditor.example.com", by=stranger)):
        try:
            answer = secure.get("/v1/records/0", *args)
            assert answer.status in (401, 403), answer
        except NoAnswer as error:
            assert error.status in (35, 52, 55, 56), error
    told("by its common name alone, by another authority, without one: refused")
    service.stop()
    assert command("verify", place / "mutual/audit").returncode == 0


def check_refusals_to_start(place):
    section("no authentication beyond loopback")
    folder = place / "open"
    folder.mkdir()
    content = standard(0, 0)
    content["listen"]["tcp"] = ["0.0.0.0:0"]
    service = Service(folder, content).start(wait=False)
    status = service.process.wait(timeout=30)
    assert status == 1, f"{status}: {service.log()}"
    assert not (folder / "audit").exists(), "it made a log before it refused"
    told("refuses to start: " + service.log().strip().splitlines()[-1])


def check(place, started):
    authority = Authority(place / "authority", "outside")
    files = authority.issue("server", "localhost", "DNS:localhost,IP:127.0.0.1", "serverAuth")
    port, admin = free_port(), free_port()
    service = started(Service(place, tables(port, admin, place, certificate=files[0], key=files[1]), admin=admin))
    first = new_token(place, "first", "--role", "admin", "--log", "default", "--expires", "90d")
    service.start()
    secure = Secure(port, authority)
    token = check_tokens(place, secure)
    check_grpc(port, place, authority, token)
    check_socket(place)
    check_reload(port, secure, authority, service, files)
    service.stop()
    kept = b"".join(path.read_bytes() for path in (place / "audit").glob("audit.log*"))
    for secret in (first, token):
        assert secret not in service.log() and secret.encode() not in kept, "a token was written down"
    assert "file:/etc/hosts" not in service.log(), "a record's body stands in the service's log"
    own = sorted({json.loads(line)["action"] for line in kept.splitlines() if b'"actor":"indelible"' in line})
    assert {"indelible.service.start", "indelible.service.stop"} <= set(own), own
    assert any("refus" in name or "denied" in name for name in own), f"what was refused is not recorded: {own}"
    told("no token written down; the log's own records: " + ", ".join(own))
    key = verifier_key(place / "audit")
    verified = command("verify", place / "audit", "--key", key)
    assert verified.returncode == 0, verified
    check_mutual(place, started, authority)
    check_refusals_to_start(place)


if __name__ == "__main__":
    main(check, seconds=150)
