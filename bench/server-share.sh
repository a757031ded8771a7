#!/usr/bin/env bash
# The server's own share of the CPU time at 16 streams: everything in the process but the engine's threads, over one request of 16 clients.
# usage: bench/server-share.sh MODEL.gguf [TOKENS]      prints seconds of CPU by kind of thread
set -eu
model=$1 tokens=${2:-200} port=18231
program=$(dirname "$0")/../src/SeekSharp.Cli/bin/Release/net10.0/seeksharp
"$program" serve "m=$model" --port $port 2>/dev/null & pid=$!
trap 'kill $pid' EXIT
until curl -sf localhost:$port/health >/dev/null; do sleep 0.2; done
ask() { curl -sN localhost:$port/v1/chat/completions -d "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me story number $1.\"}],\"max_tokens\":$tokens,\"stream\":true,\"seed\":$1}" | grep -c '"content"' || true; }
times() { for t in /proc/$pid/task/*; do printf '%s\t' "$(cat $t/comm)"; sed 's/.*) //' $t/stat | awk '{print $12 + $13}'; done; }
ask 0 >/dev/null; ask 1 >/dev/null # compiled
times > /tmp/server-share.before
for i in $(seq 16); do ask "$i" & streams="${streams:-} $!"; done | paste -sd+ | sed 's/^/chunks: /'
times > /tmp/server-share.after
awk -F'\t' -v hz="$(getconf CLK_TCK)" '
    FNR == NR { before[$1] += $2; next }
    { after[$1] += $2 }
    END { for (n in after) { d = (after[n] - before[n]) / hz; total += d; if (n ~ /^SeekSharp/) engine += d; if (d > 0.005) printf "%-18s %7.2f s\n", n, d }
          printf "%-18s %7.2f s of %.2f s: %.1f%%\n", "not the engine", total - engine, total, 100 * (total - engine) / total }' /tmp/server-share.before /tmp/server-share.after
