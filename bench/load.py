#!/usr/bin/env python3
"""How long a model takes until it is ready, and what memory it takes at most: bench/load.py OUT.json RUNS FILE.gguf ... (after dotnet build -c Release).

Every file is read once before, so that it lies in the page cache; then files take turns, so that other work on the machine meets all of them. Seconds are from the
program's start (seeksharp bench --json, load_seconds). The bound: 0.5 s + 1 s per GB of the file; peak memory within weights, cache and 250 MB."""
import json, os, statistics, subprocess, sys

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/SeekSharp.Cli/bin/Release/net10.0/seeksharp")


def main():
    out, runs, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    found = {f: [] for f in files}
    for f in files:
        with open(f, "rb") as model:
            while model.read(16 << 20): pass
    for _ in range(runs):
        for f in files:
            found[f].append(json.loads(subprocess.check_output([PROGRAM, "bench", f, "--prefill", "0", "--decode", "0", "--json"], stderr=subprocess.DEVNULL)))
    rows = []
    for f in files:
        size = os.path.getsize(f)
        rows.append({"file": os.path.basename(f), "bytes": size, "tier": found[f][0]["tier"], "threads": found[f][0]["threads"],
                     "load_seconds": round(statistics.median(r["load_seconds"] for r in found[f]), 3), "at_most": round(0.5 + size / 1e9, 3),
                     "runs": [r["load_seconds"] for r in found[f]],
                     "peak_beyond_weights_mb": round(max(r["peak_memory_bytes"] - r["weight_bytes"] - r["kv_bytes"] for r in found[f]) / 1e6)})
        print("%(file)-22s %(load_seconds).3f s of %(at_most).3f, %(peak_beyond_weights_mb)d MB beyond the weights" % rows[-1], flush=True)
    old = json.load(open(out)) if os.path.exists(out) else {}
    done = {r["file"] for r in rows}
    result = {"command": "bench/load.py OUT.json %d FILE ..." % runs, "results": [r for r in old.get("results", []) if r["file"] not in done] + rows}
    with open(out, "w") as f: json.dump(result, f, indent=1); f.write("\n")


main()
