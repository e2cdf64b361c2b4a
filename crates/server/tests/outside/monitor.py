"""A monitor that holds no token: Go's sumdb/note and tlog over /checkpoint and /tile/ (tiles/main.go), and curl."""
import json
import os
import pathlib
import subprocess
import time

from curl import curl, post_json
from evidence import opened
from service import ROOT, Service, free_port, main, standard, told, verifier_key

HERE = pathlib.Path(__file__).parent
GOPATH = "/usr/share/gocode"


def built(place):
    """The monitor, built against Debian's golang-golang-x-mod-dev as crates/cli/tests/go is."""
    binary = place / "monitor"
    env = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": GOPATH}
    env.setdefault("GOCACHE", str(place / "go-cache"))
    subprocess.run(["go", "build", "-o", binary, HERE / "tiles/main.go"], env=env, check=True, timeout=170)
    return binary


def append(url, count, start):
    lines = [json.dumps({"actor": "agent:7", "action": "grow", "resource": f"n/{start + i}"}) for i in range(count)]
    curl(f"{url}/v1/records", "-H", "Content-Type: application/x-ndjson", body="\n".join(lines) + "\n")


def covered(url, key, size):
    """The checkpoint, once it covers so many records."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        note = curl(f"{url}/checkpoint").is_(200, "text/plain; charset=utf-8").body.decode()
        if opened(note, key)[0] >= size:
            return note
        time.sleep(0.1)
    raise AssertionError(f"no checkpoint of {size} records: {note}")


def check(place, started):
    port, admin = free_port(), free_port()
    service = started(Service(place, standard(port, admin), admin=admin)).start()
    url, key = f"http://127.0.0.1:{port}", verifier_key(place / "audit")
    monitor = built(place)

    def watch(base, key, *kept):
        done = subprocess.run([monitor, base, key, *kept], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{base}: {done.stdout}{done.stderr}"
        return done.stdout.splitlines()

    append(url, 300, 0)
    (place / "kept").write_text(covered(url, key, 301), encoding="utf-8")
    watch(url, key)
    append(url, 700, 300)
    covered(url, key, 1001)
    for line in watch(url, key, place / "kept"):
        told(f"tlog: {line}")
    # The same under the log's own name.
    watch(f"{url}/v1/logs/default", key, place / "kept")
    # A monitor that holds with every key checks nothing.
    wrong = verifier_key(place / "second")
    done = subprocess.run([monitor, url, wrong], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "DISAGREES" in done.stderr, done

    tile = curl(f"{url}/tile/0/000").is_(200, "application/octet-stream")
    assert len(tile.body) == 256 * 32 and "immutable" in tile.headers["cache-control"][0], tile
    note = curl(f"{url}/checkpoint")
    assert "immutable" not in note.headers.get("cache-control", [""])[0], note
    assert len(curl(f"{url}/tile/0/003.p/200").is_(200).body) == 200 * 32
    assert len(curl(f"{url}/tile/entries/001").is_(200, "application/octet-stream").body) == 256 * 34
    for path in ("/tile/0/900", "/tile/0/003", "/tile/0/003.p/256", "/tile/0/003.p/0", "/tile/0/0", "/tile/64/000", "/tile/0/000.p/255x",
                 "/tile/x/000", "/tile/-1/000", "/tile/entries/900", "/tile/0/x000/000", "/tile/0/../../../etc/passwd"):
        answer = curl(f"{url}{path}", "--path-as-is")
        assert answer.status in (400, 404), f"{path}: {answer}"
        assert answer.kind == "application/problem+json", f"{path}: {answer}"
    # `second` is not public, though on loopback everybody may read its records.
    for path in ("tile/0/000.p/1", "tile/entries/000.p/1"):
        curl(f"{url}/v1/logs/second/{path}").problem(404, "not_found")
    curl(f"{url}/v1/logs/second/checkpoint").is_(200)
    told("curl: tiles and bundles of the right size, full ones immutable, wrong paths refused")

    # Proofs that the service makes itself, by the checker of the command's own tests.
    (place / "proofs").mkdir()
    files = []
    for seq in (0, 1, 255, 256, 700, 1000):
        proof = curl(f"{url}/v1/records/{seq}/proof").is_(200)
        files.append(place / "proofs" / f"{seq}.tlog-proof")
        files[-1].write_bytes(proof.body)
    done = subprocess.run([ROOT / "crates/cli/tests/go/run", "-files", key, place / "kept", *files], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    told(f"sumdb/note and tlog on /v1/records/N/proof: {done.stdout.splitlines()[0]}")
    post_json(f"{url}/v1/records", {"actor": "a", "action": "b", "resource": "c"}).is_(201)
    service.stop()


if __name__ == "__main__":
    main(check, seconds=240)
