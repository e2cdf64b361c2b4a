"""Runs the real command as a service, for clients that nobody here wrote.

Nothing here knows how the service works: it is started as an operator would, in a folder of its own, and its log is shown
only where something failed. INDELIBLE is the command; where unset, the debug build of this repository.
"""
import ctypes
import faulthandler
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[4]
INDELIBLE = os.environ.get("INDELIBLE") or str(ROOT / "target/debug/indelible")
SHARED = pathlib.Path(os.environ.get("INDELIBLE_SHARED") or ROOT.parent / "shared")
SKIPPED = 77


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def value(of):
    """A Python value as TOML."""
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, list):
        return "[" + ", ".join(map(value, of)) + "]"
    return str(of) if isinstance(of, int) else '"' + str(of).replace("\\", "\\\\").replace('"', '\\"') + '"'


def toml(tables):
    """Tables by name as TOML: a list is an array of tables, keys of "" stand before all tables."""
    out = []
    for name, content in tables.items():
        for table in content if isinstance(content, list) else [content]:
            if name:
                out.append(f"[[{name}]]" if isinstance(content, list) else f"[{name}]")
            out += [f"{k} = {value(v)}" for k, v in table.items()]
    return "\n".join(out) + "\n"


def die_with_parent():
    """Run in the child: nothing that a script starts outlives it, even where the script is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def command(*args, **kwargs):
    """Runs the command to its end, in `cwd` where given."""
    kwargs = {"capture_output": True, "text": True, "timeout": 60} | kwargs
    return subprocess.run([INDELIBLE, *map(str, args)], check=False, **kwargs)


class Service:
    """A running service and its folder. With `tables` it has a configuration of these, without it has none."""

    def __init__(self, place, tables=None, flags=(), admin=None, ready=None):
        self.place = pathlib.Path(place)
        self.flags = list(flags)
        self.admin = admin
        self.ready = ready
        self.process = None
        self.output = self.place / "service.log"
        if tables is not None:
            (self.place / "indelible.toml").write_text(toml(tables), encoding="utf-8")
            self.flags = ["--config", "indelible.toml", *self.flags]

    def start(self, wait=True):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [INDELIBLE, "serve", *self.flags], cwd=self.place, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=die_with_parent)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds=30):
        """Asks `/readyz` as a load balancer would."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended with {self.process.returncode} when it was started")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                last = error
            time.sleep(0.02)
        raise AssertionError(f"/readyz does not say ready within {seconds} s: {last}")

    def kill(self):
        """SIGKILL: a crash."""
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self, seconds=40):
        """SIGTERM: an orderly end, exit status 0 within the time."""
        self.process.terminate()
        status = self.process.wait(timeout=seconds)
        assert status == 0, f"after SIGTERM the service ended with {status}, expected 0"

    def log(self):
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""


def standard(port, admin):
    """The configuration of a service on loopback with two logs, to be changed as one likes."""
    return {
        "listen": {"tcp": [f"127.0.0.1:{port}"]},
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "log.default": {"folder": "audit", "create": True, "origin": "example.com/outside", "public_tree": True,
                        "min_free_space": "1MiB"},
        "log.second": {"folder": "second", "create": True, "origin": "example.com/second", "min_free_space": "1MiB"},
    }


def section(text):
    print(f"-- {text}", flush=True)


def told(text):
    print(f"   {text}", flush=True)


def verifier_key(folder):
    """The key that an auditor would have written down when the log was made: the genesis names it."""
    import json
    names = sorted(pathlib.Path(folder).glob("audit.log*"), key=lambda p: -int(p.suffix[1:]) if p.suffix[1:].isdigit() else 0)
    with open(names[0], "rb") as file:
        return json.loads(file.readline())["metadata"]["key"]


def main(check, seconds=180):
    """Runs `check(place, started)` with a time limit. `started` takes each service: what is left of them is ended, and what
    they wrote is shown where the check failed."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    services, status = [], 0

    def started(service):
        services.append(service)
        return service

    place = pathlib.Path(tempfile.mkdtemp(prefix="outside-"))
    try:
        check(place, started)
    except SystemExit as end:
        status = end.code
    except BaseException:  # also a KeyboardInterrupt must show what the service said
        traceback.print_exc(file=sys.stdout)
        for service in services:
            print(f"   the service's own log, {service.output}:")
            print("\n".join("   | " + line for line in service.log().splitlines()[-60:]))
        status = 1
    for service in services:
        if service.process and service.process.poll() is None:
            service.kill()
    if os.environ.get("OUTSIDE_KEEP"):
        print(f"   kept: {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)
    sys.stdout.flush()
    os._exit(status or 0)  # a thread of a client that hangs must not hold up the end
