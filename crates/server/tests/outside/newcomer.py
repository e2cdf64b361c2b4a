"""The first minutes: the command with no configuration at all, and the curl line that it prints, typed as it stands."""
import re
import socket
import subprocess
import time

from curl import curl
from evidence import Line
from service import INDELIBLE, SKIPPED, Service, command, main, told, verifier_key

PORT, ADMIN = 8600, 8601


def taken(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def check(place, started):
    if taken(PORT) or taken(ADMIN):
        print(f"   something else listens on port {PORT} or {ADMIN}, which the service takes with no configuration", flush=True)
        raise SystemExit(SKIPPED)
    service = started(Service(place, admin=ADMIN)).start()
    folder = place / "audit"
    key = verifier_key(folder)
    # What it tells follows a moment after it is ready.
    end = time.monotonic() + 10
    while "curl " not in (said := service.log()) and time.monotonic() < end:
        time.sleep(0.02)
    assert key in said, f"the verifier key {key} is not told"
    assert f"127.0.0.1:{PORT}" in said, "the address is not told"
    assert "audit" in said, "the folder is not told"
    # The line that appends the first record, and those that it goes on over.
    typed = re.search(r"^\s*\$?\s*(curl (?:[^\n]*\\\n)*[^\n]*)$", said, re.MULTILINE)
    assert typed, "no curl line is told"
    told(typed[1])
    done = subprocess.run(["sh", "-ec", typed[1]], cwd=place, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and '"hash":"' in done.stdout, f"{done}"
    told(done.stdout.strip())
    seq = int(re.search(r'"seq":(\d+)', done.stdout)[1])
    line = Line(curl(f"http://127.0.0.1:{PORT}/v1/records/{seq}").is_(200).body[:-1])
    assert b'"recorded_by":"anonymous:loopback"' in line.raw, line.raw
    # Nobody else can reach it.
    listening = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
    ours = [row for row in listening.splitlines() if f"pid={service.process.pid}," in row]
    assert all(row.split()[3].startswith("127.0.0.1:") for row in ours), ours

    # A second one meets the lock, and is told who holds it.
    held = command("append", folder, "--actor", "a", "--action", "b", "--resource", "c", cwd=place)
    assert held.returncode == 1 and "hint:" in held.stderr and str(service.process.pid) in held.stderr, held
    told("append beside it: " + held.stderr.strip().splitlines()[-1])
    twice = subprocess.run([INDELIBLE, "serve"], cwd=place, capture_output=True, text=True, timeout=60, check=False)
    assert twice.returncode == 1, twice

    service.stop()
    assert command("verify", folder, "--key", key).returncode == 0
    # Changing one byte is found.
    path = folder / "audit.log"
    path.write_bytes(path.read_bytes().replace(line.raw, line.raw.replace(b'"actor":"', b'"actor":"x', 1)))
    found = command("verify", folder, "--key", key)
    assert found.returncode == 3, found
    told("one changed byte: verify ends with 3")
    # A log whose end no crash can have left so is served for reading, and takes nothing.
    whole = path.read_bytes()
    last = whole.rindex(b'"actor":"')
    path.write_bytes(whole[:last] + whole[last:].replace(b'"actor":"', b'"actor":"x', 1))
    began = time.monotonic()
    service.start(wait=False)
    while time.monotonic() - began < 20:
        try:
            ready = curl(f"http://127.0.0.1:{ADMIN}/readyz")
            break
        except Exception:  # not listening yet
            assert service.process.poll() is None, "the service does not serve a refused log for reading"
            time.sleep(0.05)
    assert ready.status == 503, ready
    refused = curl(f"http://127.0.0.1:{PORT}/v1/records", "-H", "Content-Type: application/json",
                   body='{"actor":"a","action":"b","resource":"c"}').problem(503, "read_only")
    assert curl(f"http://127.0.0.1:{PORT}/v1/records/0").status == 200
    told(f"served again: not ready, readable; append: {refused.json()['detail']}")


if __name__ == "__main__":
    main(check, seconds=90)
