"""Runs the tests against every mutant of cargo-mutants' list, all of them in one build, and tells which survive.

A copy of the workspace in target/mutants has each mutant behind a switch (crates/torture/mutants). Each test runs alone and
records which switches it asks for; then each mutant is tried with the tests that ask for it, the fastest first, up to the one
that fails. What is caught is remembered in target/mutants/state.json, by what the mutant is and not by its line, so that the
same test is tried first the next time.

A survivor needs a reason in .ci/mutants-exceptions: `FILE: REASON`, and below it, indented, mutants as they are printed here.
A reason for a mutant that is caught, or is not there any more, is an error too.

Mutants that can't be switched at run time (constants, `impl Trait`) are left to cargo-mutants itself: `--rest` runs it.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

PACKAGES = ["indelible-format", "indelible"]
# Whose tests are run: those of the command and of the bench look at the same code from further off.
TESTED = ["indelible-format", "indelible", "indelible-torture", "indelible-cli"]
SCOPE = re.compile(r"crates/(format/src/|log/src/(writer|recovery|verify)/)")
ROOT = Path.cwd()
HERE = ROOT / "target/mutants"
TREE, STAGE, BUILD, TEMPORARY = HERE / "tree", HERE / "stage", HERE / "build", HERE / "tmp"
STATE, RECORD = HERE / "state.json", HERE / "record.json"
EXCEPTIONS = ROOT / ".ci/mutants-exceptions"
# The switch is for what the compiler computes too, which a stable compiler lets nobody tell apart.
ENVIRONMENT = {
    "CARGO_TARGET_DIR": str(BUILD),
    "CARGO_PROFILE_DEV_DEBUG": "0",
    "CARGO_PROFILE_DEV_OPT_LEVEL": "1",
    "RUSTC_BOOTSTRAP": "indelible,indelible_format",
    "RUSTFLAGS": "--cap-lints allow",
    "PROPTEST_CASES": "64",
    "RUST_BACKTRACE": "0",
}
COMPILER_ALONE = "the compiler alone runs it"
MEMORY_MAX = 6 << 30


def cargo(*arguments):
    return subprocess.run(
        ["cargo", *arguments], cwd=TREE, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def messages(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def listed(*where):
    mutants = []
    for package in PACKAGES:
        command = ["cargo", "mutants", "--list", "--json", "-p", package, *where]
        # It lists nothing, not an empty list, where a diff is no package's.
        mutants += json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout or "[]")
    return [mutant for mutant in mutants if SCOPE.match(mutant["file"])]


def list_mutants(numbers, since):
    mutants = listed()
    lines = {file: (ROOT / file).read_text().splitlines() for file in {mutant["file"] for mutant in mutants}}
    seen = Counter()
    for mutant in mutants:
        what = re.sub(r"^.*?:\d+:\d+: ", "", mutant["name"])
        if mutant["genre"] == "FnValue":
            key = what
        else:
            key = f"{what}: {lines[mutant['file']][mutant['span']['start']['line'] - 1].strip()}"
        seen[mutant["file"], key] += 1
        count = seen[mutant["file"], key]
        mutant["what"] = key if count == 1 else f"{key} [{count}]"
        mutant["key"] = f"{mutant['file']}: {mutant['what']}"
        # The same as ever, so that what was recorded keeps its meaning.
        mutant["number"] = numbers.setdefault(mutant["key"], len(numbers))
    if since:
        diff = HERE / "since.diff"
        diff.write_bytes(subprocess.run(["git", "diff", since, "--", "crates"], check=True, stdout=subprocess.PIPE).stdout)
        names = {mutant["name"] for mutant in listed("--in-diff", diff)}
        mutants = [mutant for mutant in mutants if mutant["name"] in names]
    return mutants


def put(path, data):
    """Writes what differs, so that cargo builds no more than it must."""
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def make_tree(mutants):
    """A copy of the workspace with these mutants in it; gives the rewriter's answer."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    names = {name for name in names if name and (ROOT / name).is_file()}
    shutil.rmtree(STAGE, ignore_errors=True)
    for name in names:
        put(STAGE / name, (ROOT / name).read_bytes())
        shutil.copymode(ROOT / name, STAGE / name)
    rewriter = subprocess.run(
        [ROOT / "target/debug/indelible-mutants", STAGE], input=json.dumps(mutants), check=True, stdout=subprocess.PIPE, text=True
    )
    staged = {path.relative_to(STAGE) for path in STAGE.rglob("*") if path.is_file()}
    for path in TREE.rglob("*") if TREE.exists() else []:
        if path.is_file() and path.relative_to(TREE) not in staged:
            path.unlink()
    for path in staged:
        put(TREE / path, (STAGE / path).read_bytes())
        shutil.copymode(STAGE / path, TREE / path)
    return json.loads(rewriter.stdout)


def owners(error, regions, arms):
    """The mutants that an error of the compiler is about."""
    spans = sorted(error["spans"], key=lambda span: not span["is_primary"])
    for span in spans:
        found = {
            region["number"]
            for region in regions.get(span["file_name"], [])
            if span["byte_start"] < region["end"] and region["start"] < max(span["byte_end"], span["byte_start"] + 1)
        }
        if found:
            return found
    # An arm is missing: of the match, not of anything inside it, so that the last one above the proposal is it.
    for span in (span for child in error["children"] for span in child["spans"]):
        above = [r["number"] for r in regions.get(span["file_name"], []) if r["number"] in arms and r["start"] < span["byte_end"]]
        if above:
            return {above[-1]}
    return set()


def leave_out_unviable(mutants, state):
    """Leaves out what does not compile, in rounds, since the compiler stops where types are wrong before it looks at borrows."""
    unviable = {m["number"] for m in mutants if m["key"] in state["unviable"]}
    inexpressible, arms = {}, {m["number"] for m in mutants if m["genre"] == "MatchArm"}
    while True:
        alive = [m for m in mutants if m["number"] not in unviable and m["number"] not in inexpressible]
        answer = make_tree(alive)
        inexpressible |= dict(answer["inexpressible"])
        check = cargo("check", "--message-format=json", "--all-features", "--lib", *flags("-p", PACKAGES))
        errors = [m["message"] for m in messages(check.stdout) if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
        if check.returncode == 0:
            break
        found = set().union(*(owners(error, answer["regions"], arms) for error in errors)) if errors else set()
        if not found:
            print("\n".join(error["rendered"] for error in errors[:5]) or check.stderr)
            sys.exit("the copy does not compile, and no mutant is to blame")
        print(f"  {len(errors)} errors: {len(found)} mutants do not compile", flush=True)
        unviable |= found
    # Beside `let` no other operator than `&&` is Rust.
    unviable |= {number for number, reason in inexpressible.items() if "does not compile" in reason}
    inexpressible = {number: reason for number, reason in inexpressible.items() if number not in unviable}
    state["unviable"] = {m["key"] for m in mutants if m["number"] in unviable}
    alone = {key: reason for key, reason in state["inexpressible"].items() if reason == COMPILER_ALONE}
    state["inexpressible"] = alone | {m["key"]: inexpressible[m["number"]] for m in mutants if m["number"] in inexpressible}
    alive = [m for m in mutants if m["number"] not in unviable and m["number"] not in inexpressible]
    for mutant in alive:
        mutant["constant"] = mutant["number"] in answer["constant"]
    return alive


def flags(flag, values):
    return [part for value in values for part in (flag, value)]


def build_tests(packages):
    """Every test of these packages: its program, folder and name."""
    built = cargo("test", "--no-run", "--message-format=json", "--all-features", "--lib", "--bins", "--test", "it", *flags("-p", packages))
    if built.returncode != 0:
        sys.exit(built.stderr)
    tests = []
    for message in messages(built.stdout):
        if message["reason"] != "compiler-artifact" or not message["executable"] or not message["profile"]["test"]:
            continue
        folder = str(Path(message["manifest_path"]).parent)
        program = message["executable"]
        listed = subprocess.run([program, "--list", "--format", "terse"], check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
        for line in listed.stdout.splitlines():
            if line.endswith(": test"):
                name = line.removesuffix(": test")
                package = Path(folder).name
                identity = f"{package} {message['target']['kind'][0]} {name}"
                tests.append({"program": program, "folder": folder, "name": name, "identity": identity})
    return tests


def run_test(test, timeout, **environment):
    """Runs one test alone; gives whether it passed, and None where it did not end in time."""
    place = TEMPORARY / str(threading.get_ident())
    place.mkdir(parents=True, exist_ok=True)
    environment = os.environ | ENVIRONMENT | environment | {"TMPDIR": str(place), "CARGO_MANIFEST_DIR": test["folder"]}
    process = subprocess.Popen(
        [test["program"], "--exact", test["name"], "--test-threads=1"],
        cwd=test["folder"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX)),
    )
    try:
        return process.wait(timeout) == 0
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


def record(tests, jobs, trusting):
    """Gives each test the time it takes and the mutants that it asks for; as before, where its program is the same."""
    programs = {test["program"]: hashlib.sha256(Path(test["program"]).read_bytes()).hexdigest() for test in tests}
    before = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    new = []
    for test in tests:
        known = before.get(test["identity"])
        if known and (known["program"] == programs[test["program"]] or trusting and known["seconds"] > 1):
            test |= {"seconds": known["seconds"], "touched": set(known["touched"])}
        else:
            new.append(test)

    def one(test):
        path = HERE / f"touched-{threading.get_ident()}"
        path.touch()
        # Whoever a test runs as.
        path.chmod(0o666)
        began = time.monotonic()
        passed = run_test(test, 600, MUTANTS_TOUCHED=str(path))
        test["seconds"] = time.monotonic() - began
        test["touched"] = {int(line) for line in path.read_text().split()}
        path.unlink()
        return None if passed else test["identity"]

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        failed = [name for name in pool.map(one, new) if name]
    if failed:
        print("left out, since they fail without any mutant:\n  " + "\n  ".join(failed))
    tests = [test for test in tests if test["identity"] not in failed]
    of_tests = {}
    for test in tests:
        program = programs[test["program"]]
        of_tests[test["identity"]] = {"program": program, "seconds": test["seconds"], "touched": sorted(test["touched"])}
    RECORD.write_text(json.dumps(of_tests))
    print(f"  {len(new)} recorded; {sum(test['seconds'] for test in tests):.0f} s one after another", flush=True)
    return tests


def try_mutants(mutants, tests, state, jobs, seconds_max):
    touching = defaultdict(list)
    for test in sorted(tests, key=lambda test: test["seconds"]):
        for number in test["touched"]:
            touching[number].append(test)
    done, lock, began = Counter(), threading.Lock(), time.monotonic()

    def one(mutant):
        key = mutant["key"]
        killer = state["caught"].get(key, {}).get("by")
        outcome, left = None, seconds_max
        for test in sorted(touching[mutant["number"]], key=lambda test: test["identity"] != killer):
            left -= test["seconds"]
            if left < 0 and test["identity"] != killer:
                break
            timeout = 10 * test["seconds"] + 10
            passed = run_test(test, timeout, MUTANT=str(mutant["number"]))
            # Twice, since there are tests that fail now and then on a busy machine.
            if passed is False:
                passed = run_test(test, timeout, MUTANT=str(mutant["number"]))
            if not passed:
                outcome = {"by": test["identity"], "how": "timeout" if passed is None else "failed"}
                break
        with lock:
            state["inexpressible"].pop(key, None)
            if mutant["constant"]:
                state["inexpressible"][key] = COMPILER_ALONE
                state["survived"].pop(key, None)
                done["constant"] += 1
                return
            if outcome:
                state["caught"][key] = outcome
                state["survived"].pop(key, None)
                done[outcome["how"]] += 1
            else:
                state["survived"][key] = len(touching[mutant["number"]])
                state["caught"].pop(key, None)
                done["survived"] += 1
            if not outcome:
                print(f"  survived: {key}", flush=True)
            if done.total() % 50 == 0:
                print(f"  {done.total()} of {len(mutants)} in {time.monotonic() - began:.0f} s: {dict(done)}", flush=True)
                save(state)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(one, mutants):
            pass
    save(state)


def try_rest(mutants, state):
    """Has cargo-mutants itself try what can't be switched, in a plain copy; with a build for each, so that it takes long."""
    plain = HERE / "plain"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            put(plain / name, (ROOT / name).read_bytes())
            shutil.copymode(ROOT / name, plain / name)
    by_name = {mutant["name"]: mutant["key"] for mutant in mutants}
    for package in PACKAGES:
        names = [mutant["name"] for mutant in mutants if mutant["package"] == package]
        if not names:
            continue
        command = ["cargo", "mutants", "--in-place", "-p", package, *flags("--re", [f"^{re.escape(name)}$" for name in names])]
        command += ["--baseline", "skip", "--timeout", "900", "--test-package", package]
        command += ["--", "--all-features", "--lib", "--test", "it"]
        environment = os.environ | {name: ENVIRONMENT[name] for name in ENVIRONMENT if name.startswith(("CARGO_PROFILE", "PROPTEST"))}
        subprocess.run(command, cwd=plain, env=environment | {"CARGO_TARGET_DIR": str(plain / "target")})
        for how in ["caught", "timeout", "missed", "unviable"]:
            for name in (plain / f"mutants.out/{how}.txt").read_text().splitlines():
                state["caught"].pop(by_name[name], None)
                state["survived"].pop(by_name[name], None)
                if how == "missed":
                    state["survived"][by_name[name]] = "all"
                elif how == "unviable":
                    state["unviable"].add(by_name[name])
                else:
                    state["caught"][by_name[name]] = {"by": "cargo-mutants", "how": "failed" if how == "caught" else how}
        save(state)


def save(state):
    STATE.write_text(json.dumps(state | {"unviable": sorted(state["unviable"])}, indent=1, sort_keys=True))


def load(fresh):
    state = {"numbers": {}, "unviable": [], "inexpressible": {}, "caught": {}, "survived": {}}
    if STATE.exists() and not fresh:
        state |= json.loads(STATE.read_text())
    return state | {"unviable": set(state["unviable"])}


def entries(path):
    """The reason for each mutant that may survive."""
    excused, file, reason = {}, None, None
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("    "):
            excused[f"{file}: {line.strip()}"] = reason
            continue
        file, _, reason = line.partition(": ")
        if not reason or not (ROOT / file).is_file():
            sys.exit(f"{path}:{number}: expected `FILE: REASON`")
    return excused


def judge(mutants, state, part):
    """Prints what needs a reason and has none, and the other way round; of these mutants alone, where they are `part` of all."""
    excused = entries(EXCEPTIONS)
    by_key = {mutant["key"]: mutant for mutant in mutants}
    if part:
        excused = {key: why for key, why in excused.items() if key in by_key}
    unviable = [key for key in by_key if key in state["unviable"]]
    survived = [key for key in by_key if key in state["survived"]]
    caught = [key for key in by_key if key in state["caught"]]
    settled = {*unviable, *survived, *caught}
    rest = [key for key in by_key if key in state["inexpressible"] and key not in settled]
    unseen = len(by_key) - len(unviable) - len(survived) - len(caught) - len(rest)
    bad = 0
    for key in survived:
        if key not in excused:
            line = by_key[key]["span"]["start"]["line"]
            print(f"survived ({state['survived'][key]} tests): {by_key[key]['file']}:{line}: {by_key[key]['what']}")
            bad += 1
    for key in excused:
        if key not in by_key or key in state["caught"] or key in state["unviable"]:
            print(f"named, but needs no reason: {key}")
            bad += 1
    timeouts = sum(state["caught"][key]["how"] == "timeout" for key in caught)
    print(
        f"{len(by_key)} mutants: {len(unviable)} do not compile, {len(caught)} caught ({timeouts} by a timeout), "
        f"{len(survived)} survived, {sum(key in excused for key in survived)} of them with a reason; "
        f"{len(rest)} left to cargo-mutants (--rest), {unseen} not tried"
    )
    return 1 if bad or unseen else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="try the mutants whose name matches this regular expression")
    parser.add_argument("--since", help="only mutants in lines that differ from this revision; implies --alone")
    parser.add_argument("--tests", default="", help="with the tests whose name (crate, kind, path) matches this")
    parser.add_argument("--survivors", action="store_true", help="try what survived or took too long the last time, and new ones")
    parser.add_argument("--judge", action="store_true", help="try nothing; hold the last outcome against the reasons")
    parser.add_argument("--alone", action="store_true", help="build only the mutants of --only, and record only the tests of --tests, of the two crates themselves")
    parser.add_argument("--rest", action="store_true", help="have cargo-mutants try what can't be switched")
    parser.add_argument("--trusting", action="store_true", help="of tests that take long, believe what was recorded of other code")
    parser.add_argument("--fresh", action="store_true", help="forget what was found before")
    parser.add_argument("--seconds", type=float, default=60, help="most time for the tests of one mutant; the slower tests are not run then")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    arguments.alone = arguments.alone or bool(arguments.since)
    HERE.mkdir(parents=True, exist_ok=True)
    if arguments.alone:
        # What is known of all of them stays as it is.
        global STATE, RECORD
        STATE, RECORD = HERE / "alone-state.json", HERE / "alone-record.json"
    state = load(arguments.fresh)
    mutants = list_mutants(state["numbers"], arguments.since)
    if arguments.alone:
        mutants = [m for m in mutants if re.search(arguments.only, m["key"])]
    if arguments.rest:
        rest = [m for m in mutants if m["key"] in state["inexpressible"] and re.search(arguments.only, m["key"])]
        try_rest(rest, state)
    elif not arguments.judge:
        print(f"{len(mutants)} mutants", flush=True)
        alive = leave_out_unviable(mutants, state)
        save(state)
        print(f"{len(alive)} in one build, {len(state['inexpressible'])} can't be switched", flush=True)
        tests = build_tests(PACKAGES if arguments.alone else TESTED)
        if arguments.alone:
            tests = [test for test in tests if re.search(arguments.tests, test["identity"])]
        print(f"{len(tests)} tests", flush=True)
        tests = record(tests, arguments.jobs, arguments.trusting)
        touched = set().union(*(test["touched"] for test in tests))
        for mutant in alive:
            mutant["constant"] = mutant["constant"] and mutant["number"] not in touched
        tests = [test for test in tests if re.search(arguments.tests, test["identity"])]
        chosen = [m for m in alive if re.search(arguments.only, m["key"])]
        if arguments.survivors:
            chosen = [m for m in chosen if state["caught"].get(m["key"], {}).get("how") != "failed"]
        try_mutants(chosen, tests, state, arguments.jobs, arguments.seconds)
    sys.exit(judge(mutants, state, arguments.alone))


if __name__ == "__main__":
    main()
