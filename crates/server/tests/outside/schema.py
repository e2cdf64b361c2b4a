"""schemathesis against /openapi.json: whatever it sends, the service answers as the document says.

Twice: once with whatever it makes up, where most logs and records are none that there are; once with ones that there are.
"""
import os
import subprocess
import sys

from curl import curl
from service import Service, free_port, main, section, standard, told

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "allow_header_conformance", "negative_data_rejection")
#: unsupported_method is left to http_routes.py: a POST without a content type is refused before anybody looks at the path.
#: A follower's stream has no end; curl drives it (http_routes.py).
ENDLESS = "/tail$"
#: Beside the usual ones: headers that are too large are refused as such.
ALWAYS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 431]
"""
#: What a generator can't guess: a log, a record of it, and tiles of a tree of 300.
THERE = """
[parameters]
"path.log" = "default"
"path.seq" = 7
"path.level" = 0
"path.index" = "001"
"path.width" = 44
"""


def drive(place, url, name, settings):
    section(f"schemathesis, {name}")
    folder = place / name.split()[-1]
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(ALWAYS + settings, encoding="utf-8")
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", f"{url}/openapi.json",
         "--checks", ",".join(CHECKS), "--exclude-path-regex", ENDLESS, "--phases", "examples,coverage,fuzzing",
         "--max-examples", os.environ.get("OUTSIDE_EXAMPLES", "25"), "--generation-deterministic", "--request-timeout", "20",
         "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--continue-on-failure"],
        cwd=folder, capture_output=True, text=True, timeout=150, check=False)
    said = "\n".join(line[:300] for line in (done.stdout + done.stderr).splitlines() if line.strip())
    assert done.returncode == 0, f"schemathesis ends with {done.returncode}:\n{said}"
    for line in done.stdout.splitlines():
        if "generated" in line or line.strip().startswith(("Selected", "Tested")):
            told(line.strip())


def check(place, started):
    port, admin = free_port(), free_port()
    service = started(Service(place, standard(port, admin), admin=admin)).start()
    url = f"http://127.0.0.1:{port}"
    document = curl(f"{url}/openapi.json").is_(200, "application/json").json()
    told(f"OpenAPI {document['openapi']}, {len(document['paths'])} paths")
    lines = "".join(f'{{"actor":"agent:7","action":"schema","resource":"n/{i}"}}\n' for i in range(299))
    curl(f"{url}/v1/records", "-H", "Content-Type: application/x-ndjson", body=lines).is_(201)
    drive(place, url, "with what it makes up", "")
    drive(place, url, "with what is there", THERE)
    service.stop()


if __name__ == "__main__":
    main(check, seconds=300)
