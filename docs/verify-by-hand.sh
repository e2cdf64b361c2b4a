#!/bin/sh
# Checks the hash chain of a log with nothing but sed and sha256sum: sh verify-by-hand.sh FOLDER
export LC_ALL=C; cd "$1" || exit 2; n=0 head=$(printf %064d 0) files=
for f in audit.log audit.log.[1-9] audit.log.[1-9][0-9] audit.log.[1-9][0-9][0-9] audit.log.[1-9][0-9][0-9][0-9]; do [ -e "$f" ] && files="$f $files"; done
[ "$files" ] || { echo "no audit.log here" >&2; exit 2; }
sed 's/\x00/?/g; s/,"_prev_hash":"\([0-9a-f]\{64\}\)","_hash":"\([0-9a-f]\{64\}\)"}$/} \1 \2/' $files | {
  while IFS= read -r line; do n=$((n + 1)); hash=${line##* } rest=${line% *}; prev=${rest##* } entry=${rest% *}
    case "$n $entry" in '1 {"seq":0,'*) ;; '1 '*) head=$prev; echo "begins after record 0: pruned, or files are missing" ;; esac
    case $entry in '{"seq":'*'Z","redacted":true}') sum=$hash; echo "line $n: redacted" ;; *) sum=$(printf %s "$prev$entry" | sha256sum) ;; esac
    [ "$prev" = "$head" ] && [ "${sum%% *}" = "$hash" ] || { echo "line $n breaks: $line" | sed 's/[^ -~]/?/g'; exit 1; }; head=$hash; done
  [ $n -gt 0 ] && echo "OK: $n records, head $head${line:+, then a line without its end}" || { echo "no record here"; exit 1; }; }
