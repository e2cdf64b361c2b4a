#!/usr/bin/env bash
# Appends all real events to one log, small enough files for at least five rotations, and has other programs look at it.
# Takes INDELIBLE and INDELIBLE_SHARED from the environment, as ../agree does.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
export INDELIBLE_SHARED=${INDELIBLE_SHARED:-$PWD/../shared}
[ -d "$INDELIBLE_SHARED/data" ] || { echo "no real events at $INDELIBLE_SHARED/data" >&2; exit 1; }
if [ -z "${INDELIBLE:-}" ]; then
  cargo build --quiet -p indelible-cli
  export INDELIBLE=$PWD/target/debug/indelible
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
folder=$place/audit

key=$("$INDELIBLE" init "$folder" --origin example.com/real-input 2>/dev/null)
for name in agent-tool-calls cloudtrail; do
  "$INDELIBLE" append "$folder" --file "$INDELIBLE_SHARED/data/$name.jsonl" --max-file-size 256KiB --receipts
  # The checkpoint that somebody keeps, before the second half.
  [ -f "$place/kept" ] || "$INDELIBLE" checkpoint "$folder" >"$place/kept"
done >"$place/receipts.jsonl"
"$INDELIBLE" checkpoint "$folder" | cmp - "$folder/checkpoint"

events=$(cat "$INDELIBLE_SHARED"/data/*.jsonl | wc -l)
receipts=$(wc -l <"$place/receipts.jsonl")
rotations=$(find "$folder" -name 'audit.log.*' | wc -l)
echo "appended: $events events, $receipts receipts, $rotations rotations"
[ "$receipts" = "$events" ] && [ "$rotations" -ge 5 ]
crates/cli/tests/agree "$folder" "$key"

# Proofs of the first record, the last one, and a spread between, and of growth since the kept checkpoint.
mkdir "$place/proofs"
for seq in 0 $(seq 1 97 "$((events - 1))") "$events"; do
  "$INDELIBLE" prove "$folder" "$seq" -o "$place/proofs/$seq.tlog-proof" 2>/dev/null
  "$INDELIBLE" verify-proof "$place/proofs/$seq.tlog-proof" --key "$key" >/dev/null
done
"$INDELIBLE" prove "$folder" --from "$place/kept" -o "$place/proofs/growth" 2>/dev/null
"$INDELIBLE" verify-proof "$place/proofs/growth" --key "$key" --checkpoint "$place/kept" | head -1
if command -v go >/dev/null && [ -d /usr/share/gocode/src/golang.org/x/mod ]; then
  crates/cli/tests/go/run -files "$key" "$place/kept" "$place"/proofs/*
  # A checker that agrees with everything checks nothing.
  sed 's/^index 0$/index 1/' "$place/proofs/0.tlog-proof" >"$place/wrong"
  if crates/cli/tests/go/run -files "$key" "$place/kept" "$place/wrong" 2>/dev/null; then exit 1; fi
else
  echo 'NOT CHECKED: proofs by sumdb/note and tlog: no golang-go with golang-golang-x-mod-dev'
  [ "${CI:-}" != true ]
fi

"$INDELIBLE" backup "$folder" "$place/copy" 2>/dev/null
crates/cli/tests/agree "$place/copy" "$key"
