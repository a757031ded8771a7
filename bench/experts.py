#!/usr/bin/env python3
"""A model under an artificial limit of memory, its experts read from the file: speed, bytes read, and how much of the reading is hidden. Linux.

usage: experts.py MODEL.gguf LIMIT [OUT.json] [--rounds N]     SEEKSHARP: the program; pack writes MODEL.gguf.packed, which is removed in the end

"cold" drops the files from the page cache before the program starts, "warm" reads them into it. Prompts are 512 random tokens in one step; decoding is 23 tokens after a prompt of 4,
sampled at temperature 5 with a seed, so that every token takes other experts. Rounds go through all cases in turn; figures are medians. All runs must give the same tokens, or the script fails.
"""
import json, os, random, statistics, subprocess, sys, tempfile, time

args = [a for a in sys.argv[1:] if not a.startswith("--")]
rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 3
if "--rounds" in sys.argv: args.remove(str(rounds))
model, limit = args[0], args[1]
program = os.environ.get("SEEKSHARP", "seeksharp")
packed = model + ".packed"
folder = tempfile.mkdtemp()

def prompt(n):
    random.seed(1)
    path = os.path.join(folder, f"{n}.json")
    with open(path, "w") as f: json.dump([random.randrange(100, 30000) for _ in range(n)], f)
    return path

def prepare(path, cold):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    if cold: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    else:
        while os.read(fd, 1 << 24): pass
    os.close(fd)

def disk(path):
    """GB/s of reading the file from its beginning to its end, cold."""
    prepare(path, True)
    fd = os.open(path, os.O_RDONLY)
    began = time.monotonic()
    size = 0
    while part := os.read(fd, 8 << 20): size += len(part)
    seconds = time.monotonic() - began
    os.close(fd)
    return size / seconds / 1e9

def run(tokens, new, memory, cold, use_packed):
    for path in [model] + ([packed] if use_packed else []): prepare(path, cold)
    command = [program, "run", model, "--tokens", prompt(tokens), "--max-tokens", str(new), "--temperature", "5", "--seed", "7", "--ctx", "1024", "--json"]
    process = subprocess.Popen(command + (["--memory", memory] if memory else []), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status: sys.exit(f"failed: {command}")
    report = json.loads(out)
    times = report["timings"]
    return {"ids": report["ids"], "prompt_tps": tokens / times["prompt_ms"] * 1e3, "prompt_seconds": times["prompt_ms"] / 1e3, "decode_tps": (new - 1) / times["decode_ms"] * 1e3,
            "disk_gb": usage.ru_inblock * 512 / 1e9, "seconds": (times["load_ms"] + times["first_token_ms"] + times["decode_ms"]) / 1e3, "peak_gb": usage.ru_maxrss * 1024 / 1e9}

results, ids, disk_speed = {}, {}, []
if len(args) > 2 and os.path.exists(args[2]):  # rounds are added to those of an earlier run
    with open(args[2]) as f: earlier = json.load(f)
    disk_speed = earlier["disk_gbs"]["all"]
    results = {case: {k: v["all"] for k, v in entry.items() if isinstance(v, dict)} for case, entry in earlier["results"].items()}
cases = [("all in memory", None, False, False), ("from the page cache", limit, False, False), ("from the disk", limit, True, False)]
subprocess.run([program, "pack", model], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
dense_gb = (os.path.getsize(model) - os.path.getsize(packed)) / 1e9  # read while loading
os.rename(packed, packed + ".aside")
for _ in range(rounds):
    disk_speed.append(disk(model))
    for kind, (tokens, new) in {"prompt": (512, 2), "decode": (4, 24)}.items():
        for use_packed in (False, True):
            if use_packed: os.rename(packed + ".aside", packed)
            for name, memory, cold, _ in cases:
                if use_packed and not memory: continue
                r = run(tokens, new, memory, cold, use_packed)
                if ids.setdefault(kind, r["ids"]) != r["ids"]: sys.exit(f"other tokens: {kind}, {name}")
                key = name + (", packed file" if use_packed else "")
                entry = results.setdefault(key, {})
                for k in ([f"{kind}_tps"] + ([ "peak_gb"] if kind == "prompt" else []) + ([f"{kind}_disk_gb"] if cold else [])):
                    entry.setdefault(k, []).append(r[k if not k.endswith("disk_gb") else "disk_gb"])
                if kind == "prompt": entry.setdefault("prompt_seconds", []).append(r["prompt_seconds"])
            if use_packed: os.rename(packed, packed + ".aside")
os.remove(packed + ".aside")

speed = statistics.median(disk_speed)
for entry in results.values():
    for k in list(entry): entry[k] = {"median": round(statistics.median(entry[k]), 3), "all": [round(v, 3) for v in entry[k]]}
for suffix in ("", ", packed file"):
    warm, cold = results["from the page cache" + suffix], results["from the disk" + suffix]
    gb = {kind: results["from the disk"][f"{kind}_disk_gb"]["median"] - dense_gb for kind in ("prompt", "decode")}  # of experts; with a packed file some of the model's own are read ahead in vain
    reading = gb["prompt"] / speed
    added = cold["prompt_seconds"]["median"] - warm["prompt_seconds"]["median"]
    cold["prompt_reading_alone_seconds"] = round(reading, 3)
    cold["prompt_reading_hidden"] = round(min(1, max(0, 1 - added / reading)), 3)
    cold["prompt_experts_gb"] = round(gb["prompt"], 3)
    cold["decode_experts_mb_per_token"] = round(gb["decode"] * 1e3 / 27, 1)
report = {"command": f"bench/experts.py {os.path.basename(model)} {limit}", "rounds": len(disk_speed), "date": time.strftime("%Y-%m-%d"), "model": os.path.basename(model), "model_gb": round(os.path.getsize(model) / 1e9, 3), "limit": limit,
          "same_tokens_in_all_runs": True, "disk_gbs": {"median": round(speed, 3), "all": [round(v, 3) for v in disk_speed]}, "results": results}
text = json.dumps(report, indent=1)
print(text)
if len(args) > 2:
    with open(args[2], "w") as f: f.write(text + "\n")
