"""Checks the Markdown files; run by .ci/docs in the root of the repository.

With --write it first copies docs/verify-by-hand.sh into its place in README.md.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

faults = []


def fenced(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def anchors(path):
    """The anchors that a heading gives, by the usual rule: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def check_links(path):
    text = re.sub(r"^```.*?^```$", "", read(path), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        where = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        if not os.path.exists(where):
            faults.append(f"{path}: link to {target}: no such file")
        elif anchor and anchor not in anchors(where):
            faults.append(f"{path}: link to {target}: no such heading")


def check_reachable(files):
    """Each page of docs/ can be reached from the README.md of its folder."""
    for path in files:
        folder, name = os.path.split(path)
        index = os.path.join(folder, "README.md")
        if folder.startswith("docs/") and name != "README.md" and os.path.exists(index) and f"({name}" not in read(index):
            faults.append(f"{index}: does not lead to {name}")


def check_errors():
    """The stable codes that the service answers with are those that its page of errors lists."""
    source, page = "crates/server/src/error.rs", "docs/operate/errors.md"
    codes = set(re.findall(r'Self::\w+ => "([a-z_]+)",', read(source)))
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", read(page), re.MULTILINE)) if os.path.exists(page) else set()
    for code in sorted(codes ^ listed):
        faults.append(f"{page}: " + (f"does not list {code}" if code in codes else f"lists {code}, which {source} has not"))


def write_readme():
    """Puts the script into the fenced block that follows its marker."""
    script = read("docs/verify-by-hand.sh")
    block = re.compile(r"^(<!-- docs/verify-by-hand\.sh,[^\n]*\n```sh\n).*?^```$", re.MULTILINE | re.DOTALL)
    text, count = block.subn(lambda m: m.group(1) + script + "```", read("README.md"))
    assert count == 1, "README.md: no place for docs/verify-by-hand.sh"
    with open("README.md", "w", encoding="utf-8") as file:
        file.write(text)


def check_readme():
    readme, path = read("README.md"), "docs/verify-by-hand.sh"
    if not os.path.exists(path) or read(path) not in fenced(readme, "sh"):
        faults.append("README.md: does not show docs/verify-by-hand.sh literally")
    for command in ("cargo run --release -- serve", "cargo test --workspace"):
        if command not in readme:
            faults.append(f"README.md: does not show: {command}")


def check_example():
    """Runs each command of the worked example on its records."""
    path = "docs/spec/README.md"
    spec = read(path)
    records = fenced(spec, "json")[0]
    lines = records.splitlines()
    if not os.path.exists("vectors/vectors.json"):
        faults.append("vectors/vectors.json: no such file")
        return
    vectors = json.loads(read("vectors/vectors.json"))
    if [r["line"] for r in vectors["records"][: len(lines)]] != lines:
        faults.append(f"{path}: the records are not those of vectors/vectors.json")
    expected = [json.loads(lines[1])["_hash"], vectors["records"][1]["leaf"]]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "audit.log"), "w", encoding="utf-8") as file:
            file.write(records)
        commands = fenced(spec, "sh")
        if len(commands) != len(expected):
            faults.append(f"{path}: {len(commands)} commands, expected {len(expected)}")
        for command, hash_ in zip(commands, expected):
            out = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=False)
            if out.stdout.split()[:1] != [hash_]:
                faults.append(f"{path}: {command.strip()} prints {out.stdout or out.stderr!r}, expected {hash_}")
            if hash_ not in spec:
                faults.append(f"{path}: does not show {hash_}")


if "--write" in sys.argv:
    write_readme()
files = subprocess.run(["git", "ls-files", "*.md"], capture_output=True, text=True, check=True).stdout.split()
for name in files:
    check_links(name)
check_reachable(files)
check_readme()
check_errors()
check_example()
print("\n".join(faults) or f"{len(files)} files: links, README and worked example are right")
sys.exit(1 if faults else 0)
