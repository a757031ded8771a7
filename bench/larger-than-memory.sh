#!/usr/bin/env bash
# Experts from the file against experts in memory, and against what the disk gives. usage: larger-than-memory.sh MODEL.gguf SIZE   (SEEKSHARP: the program; needs python3)
# SIZE is less than the model takes. "Cold" drops the file from the page cache first, so every expert comes from the disk: a prompt of 512 random tokens asks for nearly all of them once.
set -eu
S=${SEEKSHARP:-seeksharp}; model=$1; size=$2; ids=$(mktemp)
trap 'rm -f "$ids"' EXIT
python3 -c "import random; random.seed(1); print([random.randrange(100, 30000) for _ in range(512)])" > "$ids"
cold() { for f in "$@"; do if [ -f "$f" ]; then dd if="$f" iflag=nocache count=0 2>/dev/null; fi; done; }
bench() { "$S" bench "$model" --prefill 512 --decode 64 --ctx 1024 --json "$@" 2>/dev/null | python3 -c "
import json, sys
d = json.load(sys.stdin)
print('prefill %.0f tokens/s, decode %.1f tokens/s, %s of %s experts read, peak %.2f GB' % (d['prefill_tps'], d['decode_tps'], d['experts_read'], d['experts_asked'], d['peak_memory_bytes'] / 1e9))"; }
prompt() { "$S" run "$model" --tokens "$ids" --max-tokens 1 --temperature 0 --ctx 1024 --memory "$size" --json 2>/dev/null | python3 -c "import json, sys; print(json.load(sys.stdin)['timings'])"; }
echo "disk, read directly:         $(dd if="$model" of=/dev/null bs=8M iflag=direct 2>&1 | tail -1)"
cat "$model" > /dev/null
echo "all in memory:               $(bench)"
echo "$size, from the page cache:   $(bench --memory "$size")"
cold "$model"
echo "$size, cold, from the model:  $(prompt)"
"$S" pack "$model"; sync
echo "$size, packed, page cache:    $(bench --memory "$size")"
cold "$model" "$model.packed"
echo "$size, cold, packed:          $(prompt)"
