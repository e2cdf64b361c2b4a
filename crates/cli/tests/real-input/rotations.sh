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
done >"$place/receipts.jsonl"
"$INDELIBLE" checkpoint "$folder" | cmp - "$folder/checkpoint"

events=$(cat "$INDELIBLE_SHARED"/data/*.jsonl | wc -l)
receipts=$(wc -l <"$place/receipts.jsonl")
rotations=$(find "$folder" -name 'audit.log.*' | wc -l)
echo "appended: $events events, $receipts receipts, $rotations rotations"
[ "$receipts" = "$events" ] && [ "$rotations" -ge 5 ]
crates/cli/tests/agree "$folder" "$key"
