#!/usr/bin/env python3
"""16 streams over HTTP: `seeksharp serve` against llama.cpp's `llama-server --parallel 16`, in turn, with this same client and the same prompts.

usage: bench/over_http.py [--pairs 3] [--streams 16] [--prompt 128] [--tokens 64] [--out bench/results/NAME.json] LLAMA_SERVER MODEL.gguf ...

Each server is started anew for each pair, warmed up with a round of short prompts, and then asked by all clients at once for /v1/completions, streaming: prompts are token ids, each another. Reported are
tokens written a second, by all streams together, from the first request to the last token, reading the prompts included; and the mean time to a client's first token. A file that is there gets further pairs. LLAMA_SERVER comes from ../shared/peers/llama.cpp/unpack.sh; models from ../shared/peers/synth_gguf.py. `-` for it measures ours alone.
On Linux the share of our server's CPU time that is not the engine's is reported too: all threads of the process but those that compute.
"""
import argparse, datetime, glob, json, os, platform, random, signal, socket, statistics, subprocess, sys, threading, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = os.environ.get("SEEKSHARP", os.path.join(ROOT, "src/SeekSharp.Cli/bin/Release/net10.0/seeksharp"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait(port, process):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not start")


def stream(port, prompt, tokens, result, i):
    body = json.dumps({"model": "m", "prompt": prompt, "max_tokens": tokens, "stream": True, "temperature": 0, "stream_options": {"include_usage": True}}).encode()
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        first, text = 0.0, b""
        while part := s.recv(65536):
            text += part
            if not first and b"data:" in text:
                first = time.perf_counter()
        last = time.perf_counter()
    usage = text.rfind(b'"completion_tokens":')
    if usage < 0:
        sys.exit("no usage in the answer: " + text[:400].decode())
    written = int(text[usage + 20:].lstrip().split(b",")[0].split(b"}")[0])
    result[i] = (first, last, written)


def round_of(port, options, seed, prompt, tokens):
    rng = random.Random(seed)
    prompts = [[rng.randrange(300, 30000) for _ in range(prompt)] for _ in range(options.streams)]
    result = [None] * options.streams
    threads = [threading.Thread(target=stream, args=(port, p, tokens, result, i)) for i, p in enumerate(prompts)]
    began = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if None in result:
        sys.exit("a client failed")
    written = sum(r[2] for r in result)
    end = max(r[1] for r in result)
    return {"tokens": written, "seconds": end - began, "tps": written / (end - began), "first_token_seconds": statistics.mean(r[0] - began for r in result)}


def cpu(pid):
    """Seconds of CPU by thread name; "all" is the process's, threads that have ended included."""
    def seconds(path):
        fields = open(path).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    times = {"all": seconds(f"/proc/{pid}/stat")}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        try:
            name = open(task + "/comm").read().strip()
            times[name] = times.get(name, 0) + seconds(task + "/stat")
        except FileNotFoundError:
            continue
    return times


def measure(command, port, options, ours):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(port, process)
        round_of(port, options, 1, 16, 8)
        before = cpu(process.pid) if ours and os.path.exists("/proc") else None
        result = round_of(port, options, 2, options.prompt, options.tokens)
        if before is not None:
            after = cpu(process.pid)
            used = {name: after[name] - before.get(name, 0) for name in after}
            result["cpu_seconds"] = {name: round(seconds, 2) for name, seconds in sorted(used.items(), key=lambda u: -u[1]) if seconds >= 0.01}
            result["server_share"] = 1 - sum(seconds for name, seconds in used.items() if name.startswith("SeekSharp")) / used["all"]
        return result
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--out")
    parser.add_argument("server")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    cpu_name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor()) if os.path.exists("/proc/cpuinfo") else platform.processor()
    result = {"date": datetime.date.today().isoformat(), "command": "bench/over_http.py " + " ".join(a if a.startswith("-") else os.path.basename(a) for a in sys.argv[1:]), "cpu": cpu_name, "cores": os.cpu_count(), "models": {}}
    if options.out and os.path.exists(options.out): # another run adds its models
        result["models"] = json.load(open(options.out))["models"]
    for model in options.models:
        pairs = []
        for _ in range(options.pairs):
            port = free_port()
            pair = {"ours": measure([OURS, "serve", "m=" + model, "--port", str(port), "--threads", options.threads], port, options, True)}
            if options.server != "-":
                port = free_port()
                context = options.streams * (options.prompt + options.tokens + 64)
                pair["peer"] = measure([options.server, "-m", model, "--port", str(port), "-t", options.threads, "-tb", options.threads, "--parallel", str(options.streams), "-c", str(context)], port, options, False)
            pairs.append(pair)
        name = os.path.basename(model)
        known = result["models"].setdefault(name, {"medians": None, "pairs": []})
        known["pairs"] += pairs
        both = [p for p in known["pairs"] if "peer" in p]
        row = {what: {"ours": statistics.median(p["ours"][what] for p in known["pairs"])} for what in ("tps", "first_token_seconds", "server_share") if what in pairs[0]["ours"]}
        for what in ("tps", "first_token_seconds") if both else ():
            row[what]["peer"] = statistics.median(p["peer"][what] for p in both)
            row[what]["ratio"] = statistics.median(p["ours"][what] / p["peer"][what] for p in both)
        known["medians"] = row
        print(name, json.dumps(row), "tokens", [(p["ours"]["tokens"], p.get("peer", {}).get("tokens")) for p in known["pairs"]], flush=True)
        if options.out:
            with open(options.out, "w") as file:
                json.dump(result, file, indent=1)
                file.write("\n")


main()
