#!/usr/bin/env python3
"""Ours against llama.cpp, in turn, in one run: medians of pairs, and the raw figures as JSON.

usage: bench/compare.py [--pairs 5] [--out bench/results/NAME.json] [--peer llama-bench] [--tier TIER] [--deep] [--kv FORMAT] [--also-kv FORMAT] [--sequences N] [--append] PEER_FOLDER MODEL.gguf ...

PEER_FOLDER holds llama-bench (../shared/peers/llama.cpp/unpack.sh FOLDER); models come from ../shared/peers/synth_gguf.py. --deep measures 2,048 tokens
(prefill, and decoding after them) instead of 512 and 64; llama.cpp gets the better of -fa 0 and -fa 1 there, found in the first pair; --also-kv measures ours with another
cache format too, beside the same figures of the peer. --sequences: N prompts of
128 tokens and 64 tokens each, decoded together, against llama-batched-bench. --append adds pairs to those that OUT holds already.
"""
import argparse, datetime, json, os, platform, statistics, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = os.path.join(ROOT, "src/SeekSharp.Cli/bin/Release/net10.0/seeksharp")


def ours(model, prefill, decode, depth, kv, tier):
    env = dict(os.environ, **({"SEEKSHARP_KERNELS": tier} if tier else {}))
    args = [OURS, "bench", model, "--json", "--threads", "2", "--prefill", str(prefill), "--decode", str(decode), "--depth", str(depth)]
    return json.loads(subprocess.run(args + (["--kv", kv] if kv else []), env=env, capture_output=True, check=True, text=True).stdout)


def peer(program, model, prefill, decode, depth, flash):
    args = [program, "-m", model, "-t", "2", "-p", str(prefill), "-n", str(decode), "-d", str(depth), "-r", "1", "-o", "json"]
    rows = json.loads(subprocess.run(args + (["-fa", flash] if flash else []), capture_output=True, check=True, text=True).stdout)
    for row in rows:
        row["model_filename"] = os.path.basename(row["model_filename"])
    return rows


def speed(rows, prompt):
    return next(row["avg_ts"] for row in rows if bool(row["n_prompt"]) == prompt)


def together(model, options, folder):
    env = dict(os.environ, **({"SEEKSHARP_KERNELS": options.tier} if options.tier else {}))
    n = str(options.sequences)
    a = json.loads(subprocess.run([OURS, "bench", model, "--json", "--threads", "2", "--sequences", n], env=env, capture_output=True, check=True, text=True).stdout)
    args = [os.path.join(folder, "llama-batched-bench"), "-m", model, "-t", "2", "-tb", "2", "-c", str(256 * options.sequences), "-npp", "128", "-ntg", "64", "-npl", n, "--output-format", "jsonl"]
    lines = subprocess.run(args, capture_output=True, check=True, text=True).stdout.splitlines()
    b = json.loads(next(line for line in lines if line.startswith("{")))
    return {"ours": [a], "peer": [b], "prefill": [a["prefill_tps"], b["speed_pp"]], "decode": [a["decode_tps"], b["speed_tg"]]}


def pair(model, options, program, flash):
    if options.sequences:
        return together(model, options, options.folder)
    if not options.deep:
        a = ours(model, 512, 64, 0, options.kv, options.tier)
        b = peer(program, model, 512, 64, 0, None)
        return {"ours": [a], "peer": [b], "prefill": [a["prefill_tps"], speed(b, True)], "decode": [a["decode_tps"], speed(b, False)]}
    a = [ours(model, 2048, 0, 0, options.kv, options.tier), ours(model, 0, 64, 2048, options.kv, options.tier)]
    also = [ours(model, 2048, 0, 0, options.also_kv, options.tier), ours(model, 0, 64, 2048, options.also_kv, options.tier)] if options.also_kv else None
    prefills = {f: peer(program, model, 2048, 0, 0, f) for f in flash["prefill"]}
    decodes = {f: peer(program, model, 0, 64, 2048, f) for f in flash["decode"]}
    flash["prefill"] = [max(prefills, key=lambda f: speed(prefills[f], True))]
    flash["decode"] = [max(decodes, key=lambda f: speed(decodes[f], False))]
    prefill, decode = prefills[flash["prefill"][0]], decodes[flash["decode"][0]]
    result = {"flash": flash | {}, "ours": a, "peer": [*prefills.values(), *decodes.values()], "prefill": [a[0]["prefill_tps"], speed(prefill, True)], "decode": [a[1]["decode_tps"], speed(decode, False)]}
    if also:
        result |= {"also": also, "also_prefill": [also[0]["prefill_tps"], speed(prefill, True)], "also_decode": [also[1]["decode_tps"], speed(decode, False)]}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out")
    parser.add_argument("--peer", default="llama-bench")
    parser.add_argument("--tier")
    parser.add_argument("--kv")
    parser.add_argument("--also-kv")
    parser.add_argument("--deep", action="store_true")
    parser.add_argument("--sequences", type=int, default=0)
    parser.add_argument("--append", action="store_true")
    parser.add_argument("folder")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    program = os.path.join(options.folder, options.peer)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor()) if os.path.exists("/proc/cpuinfo") else platform.processor()
    result = {"date": datetime.date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "peer": options.peer, "deep": options.deep, "kv": options.kv, "also_kv": options.also_kv, "tier": options.tier, "sequences": options.sequences, "models": {}}
    if options.append and os.path.exists(options.out):
        result["models"] = json.load(open(options.out))["models"]
    print(f"{'model':24} {'prefill':>8} {'peer':>8} {'ratio':>6}   {'decode':>8} {'peer':>8} {'ratio':>6}{'' if options.sequences else '   of bandwidth'}", flush=True)
    for model in options.models:
        name = os.path.basename(model)
        before = result["models"].get(name, {}).get("pairs", [])
        pairs, flash = list(before), {"prefill": ["0", "1"], "decode": ["0", "1"]}
        if before and options.deep:
            flash = before[-1]["flash"]
        for _ in range(options.pairs):
            pairs.append(pair(model, options, program, flash))
        row = {}
        for what in ("prefill", "decode") + (("also_prefill", "also_decode") if options.deep and options.also_kv else ()):
            row[what] = {"ours": statistics.median(p[what][0] for p in pairs), "peer": statistics.median(p[what][1] for p in pairs), "ratio": statistics.median(p[what][0] / p[what][1] for p in pairs)}
        shares = ""
        if not options.sequences:
            for share in ("decode_bandwidth_share", "decode_bandwidth_share_in_turn"):
                row[share] = statistics.median(p["ours"][-1].get(share, 0) for p in pairs)
            row["prefill_product_share"] = statistics.median(p["ours"][0]["prefill_product_gops"] / p["ours"][0]["int8_tile_median_gops"] for p in pairs)  # of the tile's rate
            shares = f"   {row['decode_bandwidth_share']:.0%} ({row['decode_bandwidth_share_in_turn']:.0%} in turn with reading), products {row['prefill_product_share']:.0%} of the tile"
        result["models"][name] = {"medians": row, "pairs": pairs}
        p, d = row["prefill"], row["decode"]
        print(f"{name:24} {p['ours']:8.1f} {p['peer']:8.1f} {p['ratio']:5.2f}×   {d['ours']:8.1f} {d['peer']:8.1f} {d['ratio']:5.2f}×{shares}", flush=True)
        if "also_prefill" in row:
            p, d = row["also_prefill"], row["also_decode"]
            print(f"{'  --kv ' + options.also_kv:24} {p['ours']:8.1f} {p['peer']:8.1f} {p['ratio']:5.2f}×   {d['ours']:8.1f} {d['peer']:8.1f} {d['ratio']:5.2f}×", flush=True)
        if options.out:
            os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
            with open(options.out, "w") as file:
                json.dump(result, file, indent=1)
                file.write("\n")


main()
