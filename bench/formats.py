#!/usr/bin/env python3
"""How fast every number format decodes: products of one row, and whole models of random blocks; raw figures as JSON, and the table of docs/kernels.md.

usage: bench/formats.py OUT.json products [FORMATS]        one run of SeekSharp.Benchmarks -- formats (1,300 MB a matrix), added to OUT
       bench/formats.py OUT.json files FOLDER [FORMATS]    one run of seeksharp bench (64 tokens) on FOLDER/FORMAT.gguf, written by random_model.py if it is not there, added to OUT
       bench/formats.py OUT.json table                     medians of all runs so far

FORMATS: names with commas between; without, all. Both programs are built before (dotnet build -c Release, of src/SeekSharp.Cli and bench/SeekSharp.Benchmarks).
"""
import datetime, json, os, statistics, subprocess, sys, tempfile
import random_model

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLI = os.path.join(ROOT, "src/SeekSharp.Cli/bin/Release/net10.0/seeksharp")
BENCHMARKS = os.path.join(ROOT, "bench/SeekSharp.Benchmarks/bin/Release/net10.0/SeekSharp.Benchmarks")
FIELDS = ("bytes", "gbs", "memory_gbs", "unpacking_gbs")


def products(out, formats):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.json")
        subprocess.run([BENCHMARKS, "formats", formats or "all", path, "1300"], check=True)
        with open(path) as f:
            run = json.load(f)
    out["cpu"], out["features"], out["tier"], out["threads"] = run["cpu_name"], run["features"], run["results"][0]["tier"], run["results"][0]["threads"]
    for result in run["results"]:
        out["products"].setdefault(result["format"], []).append({field: result[field] for field in FIELDS})


def files(out, folder, formats):
    os.makedirs(folder, exist_ok=True)
    for name in formats.split(",") if formats else [*random_model.TYPES, "F8_E4M3"]:
        path = os.path.join(folder, name if name == "F8_E4M3" else name + ".gguf")
        if not os.path.exists(path):
            random_model.write(path, name)
        text = subprocess.run([CLI, "bench", path, "--json", "--prefill", "0", "--decode", "64", "--threads", str(out.get("threads", 2))], capture_output=True, check=True, text=True).stdout
        report = json.loads(text)
        out["files"].setdefault(name, []).append({field: report[field] for field in ("decode_tps", "bytes_per_token", "weight_bytes", "bandwidth_gbs", "decode_bandwidth_share", "decode_bandwidth_share_in_turn")})
        print(name, report["decode_tps"], report["decode_bandwidth_share"], report["decode_bandwidth_share_in_turn"], flush=True)


def median(runs, field):
    return statistics.median(run[field] for run in runs)


def table(out):
    print("| format | from memory | reading | in cache | limit | share of it | whole model, tokens/s | share of reading | of the limit |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, runs in out["products"].items():
        gbs, memory, unpacking = (median(runs, field) for field in FIELDS[1:])
        limit = min(memory, unpacking)
        model = out["files"].get("F8_E4M3" if name == "F8E4M3" else name)
        cells = "| | | |"
        if model:
            tps, packed = median(model, "decode_tps"), median(model, "weight_bytes")
            share = median(model, "decode_bandwidth_share")
            # Of unpacking: what the packed weights take at the speed in cache.
            cells = f"| {tps:.1f} | {share:.0%} | {max(share, tps * packed / (unpacking * 1e9)):.0%} |"
        print(f"| {name} | {gbs:.1f} | {memory:.1f} | {unpacking:.1f} | {'unpacking' if unpacking < memory else 'memory'} | {gbs / limit:.0%} {cells}")


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in ("products", "files", "table") or (sys.argv[2] == "files" and len(sys.argv) < 4):
        sys.exit(__doc__)
    path, what = sys.argv[1:3]
    out = {"date": datetime.date.today().isoformat(), "products": {}, "files": {}}
    if os.path.exists(path):
        with open(path) as f:
            out = json.load(f)
    if what == "table":
        return table(out)
    if what == "products":
        products(out, sys.argv[3] if len(sys.argv) > 3 else None)
    else:
        files(out, sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
    with open(path, "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
