#!/usr/bin/env bash
# Appends all real events to one log with rotations, then has four programs look at it: `indelible verify`, the
# independent checker, a few lines of shell, and Go's sumdb packages. They must agree on chain, root and signatures.
#
#   INDELIBLE=path/to/indelible   the binary; built in debug mode where unset
#   INDELIBLE_SHARED=path         data and reference; ../shared beside the repository where unset
set -euo pipefail
cd "$(dirname "$0")/../../../.."
root=$PWD
shared=${INDELIBLE_SHARED:-$root/../shared}
[ -d "$shared/data" ] || { echo "no real events at $shared/data" >&2; exit 1; }
indelible=${INDELIBLE:-}
if [ -z "$indelible" ]; then
  cargo build --quiet -p indelible-cli
  indelible=$root/target/debug/indelible
fi
unset "${!INDELIBLE_@}"

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
folder=$place/audit

fail() { echo "DISAGREES: $*" >&2; exit 1; }
# The value of a member of the one-line JSON object in the file $1.
member() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

key=$("$indelible" init "$folder" --origin example.com/real-input 2>/dev/null)
for name in agent-tool-calls cloudtrail; do
  "$indelible" append "$folder" --file "$shared/data/$name.jsonl" --max-file-size 256KiB --receipts \
    >>"$place/receipts.jsonl"
done
events=$(cat "$shared"/data/*.jsonl | wc -l)
receipts=$(wc -l <"$place/receipts.jsonl")
[ "$receipts" = "$events" ] || fail "$events events, $receipts receipts"
rotated=$(find "$folder" -name 'audit.log.*' | wc -l)
[ "$rotated" -ge 5 ] || fail "only $rotated rotations"
echo "appended: $events events, $rotated rotations, a receipt for each"

"$indelible" verify "$folder" --key "$key" --json >"$place/verify.json" || fail "$(cat "$place/verify.json")"
head=$(member "$place/verify.json" head)
tree=$(member "$place/verify.json" root)
echo "indelible verify: $(member "$place/verify.json" verdict), head $head, root $tree"

python3 "$shared/reference/check_log.py" "$folder" --key "$key" >"$place/check.json" || fail "$(cat "$place/check.json")"
[ "$(member "$place/check.json" head)" = "$head" ] || fail "check_log.py: $(cat "$place/check.json")"
[ "$(member "$place/check.json" root)" = "$tree" ] || fail "check_log.py: $(cat "$place/check.json")"
[ "$(member "$place/check.json" anchored)" = True ] || fail "check_log.py: $(cat "$place/check.json")"
echo "check_log.py: sound under the key, the same head and root"

[ "$(sed -n 3p "$folder/checkpoint")" = "$tree" ] || fail "the last checkpoint has another root"
"$indelible" checkpoint "$folder" | cmp - "$folder/checkpoint" || fail "checkpoint prints another note"
echo "checkpoint: the same root, over $(sed -n 2p "$folder/checkpoint") records"

by_hand=$(sh docs/verify-by-hand.sh "$folder") || fail "verify-by-hand.sh: $by_hand"
case $by_hand in *"head $head"*) ;; *) fail "verify-by-hand.sh: $by_hand" ;; esac
echo "verify-by-hand.sh: $by_hand"

go=$(crates/cli/tests/go/run "$folder" "$key") || fail "go: $go"
sed 's/^/go: /' <<<"$go"
