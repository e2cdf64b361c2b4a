"""Tells which lines of crates/log no test runs and no exception excuses, and which exceptions excuse nothing.

Exceptions: `FILE: REASON`, and below it, indented, the text of each line that it is for, once for each such line. Where the
reason begins with `sometimes: `, it depends on chance whether a line is run.
"""
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

# Writer, rotation, recovery and verifier, and what they are made of.
COVERED = re.compile(
    r"crates/log/src/(writer/|recovery/|verify/|(tail|segment|rebuild|lines|in_place|opening|checkpoints|tree_store)\.rs)"
)
TESTS = re.compile(r"(^|/)tests(/|\.rs$)")
# Test code stands last in its file.
TEST_CODE = re.compile(r"#\[cfg\((test|all\(test, .*\))\)\]")
# Never run by itself where what stands before it ends the function or the block.
BETWEEN = re.compile(r"[\])}?;,]*|\} else \{")


def exceptions(path):
    """For each file and text the reason, and how many lines it is for."""
    reasons, file, reason = {}, None, None
    times = Counter()
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith("    "):
            file, _, reason = line.partition(": ")
            if not reason or not Path(file).is_file() or not COVERED.match(file):
                sys.exit(f"{path}:{number}: expected `FILE: REASON`, of a file that is looked at")
            continue
        if reason is None:
            sys.exit(f"{path}:{number}: expected `FILE: REASON` first")
        key = (file, line.strip())
        if reasons.setdefault(key, reason) != reason:
            sys.exit(f"{path}:{number}: this line has another reason already")
        times[key] += 1
    return reasons, times


def counts(lcov):
    """How often each line with code was run, by file; generic code is there more than once, and one of them run is enough."""
    counts, file = defaultdict(lambda: defaultdict(int)), None
    root = f"{Path.cwd()}/"
    for line in Path(lcov).read_text().splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            file = rest.removeprefix(root)
        elif kind == "DA" and COVERED.match(file) and not TESTS.search(file):
            number, count = map(int, rest.split(",")[:2])
            counts[file][number] = max(counts[file][number], count)
    return counts


def code_of(file):
    """The lines of a file up to its test code."""
    lines = Path(file).read_text().splitlines()
    for number, line in enumerate(lines):
        behind = (line for line in lines[number + 1 :] if not line.startswith("#["))
        if TEST_CODE.fullmatch(line) and re.match(r"(pub(\(.*\))? )?mod \w+ \{", next(behind, "")):
            return lines[:number]
    return lines


def main(lcov, path):
    reasons, times = exceptions(path)
    of_files = counts(lcov)
    problems, total, excused = [], 0, 0
    for file in map(str, sorted(Path("crates/log/src").rglob("*.rs"))):
        if not COVERED.match(file) or TESTS.search(file):
            continue
        lines = code_of(file)
        if file not in of_files and any(re.search(r"\bfn \w+.*\{", line) for line in lines):
            problems.append(f"not in the report: {file}")
        code = {number: count for number, count in of_files[file].items() if number <= len(lines)}
        total += len(code)
        left, there = Counter(), Counter()
        for number, count in sorted(code.items()):
            text = lines[number - 1].strip()
            there[text] += 1
            if count > 0 or BETWEEN.fullmatch(text):
                continue
            left[text] += 1
            if left[text] <= times[(file, text)]:
                excused += 1
            else:
                problems.append(f"never run: {file}:{number}: {text}")
        for (of, text), reason in reasons.items():
            if of != file:
                continue
            if there[text] < times[(file, text)]:
                problems.append(f"an exception for a line that is not there: {file}: {text}")
            elif left[text] < times[(file, text)] and not reason.startswith("sometimes: "):
                problems.append(f"an exception for a line that is run: {file}: {text}")
    if total == 0:
        problems.append("the report has none of the files")
    for problem in problems:
        print(problem)
    print(
        f"{total} lines of {sum(1 for file in of_files if of_files[file])} files, {excused} excused, "
        f"{len(problems)} faults; exceptions for {sum(times.values())} lines"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
