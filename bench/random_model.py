#!/usr/bin/env python3
"""Write a llama model of random blocks in any number format, for speed runs; needs nothing but Python.

usage: bench/random_model.py OUT FORMAT [layers=16] [d=2048] [ff=5632] [heads=32] [kv_heads=4] [vocab=32000]

FORMAT is a GGUF type (F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K … Q6_K IQ1_S … IQ4_XS MXFP4), and OUT a file; or F8_E4M3, and OUT a folder of safetensors with a scale for each 128 × 128
block. Shapes are those of ../shared/peers/synth_gguf.py. A matrix is some 4 MB of random blocks over and over; scales are small enough that all numbers stay finite, and what the numbers are
does not change the time.
"""
import json, os, random, struct, sys

# Number of the type, values and bytes of a block, and where which binary16 numbers stand in it.
TYPES = {
    "Q4_0": (2, 32, 18, {0: 0.004}), "Q4_1": (3, 32, 20, {0: 0.004, 2: -0.03}), "Q5_0": (6, 32, 22, {0: 0.002}), "Q5_1": (7, 32, 24, {0: 0.002, 2: -0.03}), "Q8_0": (8, 32, 34, {0: 0.0003}),
    "Q2_K": (10, 256, 84, {80: 0.001, 82: 0.0015}), "Q3_K": (11, 256, 110, {108: 0.0005}), "Q4_K": (12, 256, 144, {0: 0.0001, 2: 0.0007}), "Q5_K": (13, 256, 176, {0: 0.0001, 2: 0.0014}),
    "Q6_K": (14, 256, 210, {208: 0.0001}), "IQ1_S": (19, 256, 50, {0: 0.003}), "IQ1_M": (29, 256, 56, {}), "IQ2_XXS": (16, 256, 66, {0: 0.0005}), "IQ2_XS": (17, 256, 74, {0: 0.0005}),
    "IQ2_S": (22, 256, 82, {0: 0.0005}), "IQ3_XXS": (18, 256, 98, {0: 0.0002}), "IQ3_S": (21, 256, 110, {0: 0.0002}), "IQ4_NL": (20, 32, 18, {0: 0.0003}), "IQ4_XS": (23, 256, 136, {0: 0.0001}),
    "MXFP4": (39, 32, 17, {}), "F32": (0, 1, 4, {}), "F16": (1, 1, 2, {}), "BF16": (30, 1, 2, {}),
}
rng = random.Random(0)


def blocks(fmt):
    """Some 4 MB of blocks."""
    if fmt == "F8_E4M3":
        return rng.randbytes(4 << 20).translate(bytes(b & 0xBF for b in range(256)))  # below 2, no NaN
    if fmt in ("F32", "F16", "BF16"):
        values = [rng.gauss(0, 0.02) for _ in range(1 << 20)]
        wide = struct.pack(f"<{len(values)}f", *values)
        return wide if fmt == "F32" else struct.pack(f"<{len(values)}e", *values) if fmt == "F16" else b"".join(wide[i:i + 2] for i in range(2, len(wide), 4))
    _, _, size, numbers = TYPES[fmt]
    count = (4 << 20) // size
    data = bytearray(rng.randbytes(count * size))
    for at, value in numbers.items():
        for i, byte in enumerate(struct.pack("<e", value)):
            data[at + i::size] = bytes([byte]) * count
    if fmt == "MXFP4":
        data[0::size] = bytes([120]) * count
    if fmt == "IQ1_M":  # the scale's four nibbles are the upper ones of four words
        scale = struct.unpack("<H", struct.pack("<e", 0.003))[0]
        for i in range(4):
            at = 49 + 2 * i
            data[at::size] = bytes(b & 15 | (scale >> 4 * i & 15) << 4 for b in data[at::size])
    return bytes(data)


def write_data(f, pool, size):
    while size > 0:
        f.write(pool[:size])
        size -= len(pool)


def shapes(layers, d, ff, heads, kv_heads, vocab):
    """GGUF's and Hugging Face's name of each tensor, and its shape."""
    kv = d // heads * kv_heads
    yield "token_embd", "model.embed_tokens", (vocab, d)
    yield "output_norm", "model.norm", (d,)
    yield "output", "lm_head", (vocab, d)
    for i in range(layers):
        for gguf, hf, shape in (("attn_norm", "input_layernorm", (d,)), ("attn_q", "self_attn.q_proj", (d, d)), ("attn_k", "self_attn.k_proj", (kv, d)), ("attn_v", "self_attn.v_proj", (kv, d)),
                                ("attn_output", "self_attn.o_proj", (d, d)), ("ffn_norm", "post_attention_layernorm", (d,)), ("ffn_gate", "mlp.gate_proj", (ff, d)), ("ffn_up", "mlp.up_proj", (ff, d)),
                                ("ffn_down", "mlp.down_proj", (d, ff))):
            yield f"blk.{i}.{gguf}", f"model.layers.{i}.{hf}", shape


def gguf(path, fmt, o):
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    def key(name, value):
        kinds = {int: "<II", float: "<If"}
        if isinstance(value, str):
            return text(name) + struct.pack("<I", 8) + text(value)
        return text(name) + struct.pack(kinds[type(value)], 4 if isinstance(value, int) else 6, value)

    keys = {"general.architecture": "llama", "general.name": f"random {fmt}", "llama.context_length": 4096, "llama.embedding_length": o["d"], "llama.block_count": o["layers"],
            "llama.feed_forward_length": o["ff"], "llama.attention.head_count": o["heads"], "llama.attention.head_count_kv": o["kv_heads"], "llama.rope.dimension_count": o["d"] // o["heads"],
            "llama.rope.freq_base": 10000.0, "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.vocab_size": o["vocab"]}
    number, values, size, _ = TYPES[fmt]
    tensors, offset = [], 0
    for name, _, shape in shapes(**o):
        norm = len(shape) == 1
        count = shape[0] if norm else shape[0] * shape[1]
        length = 4 * count if norm else count // values * size
        tensors.append((name + ".weight", shape, 0 if norm else number, offset, length))
        offset += -(-length // 32) * 32
    pool = blocks(fmt)
    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)))
        for name, value in keys.items():
            f.write(key(name, value))
        for name, shape, kind, offset, _ in tensors:
            f.write(text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", kind, offset))
        f.write(bytes(-f.tell() % 32))
        for _, shape, _, _, length in tensors:
            if len(shape) == 1:
                f.write(struct.pack("<f", 1) * shape[0])
            else:
                write_data(f, pool, length)
            f.write(bytes(-length % 32))


def fp8(folder, o):
    os.makedirs(folder, exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": o["d"], "intermediate_size": o["ff"], "num_hidden_layers": o["layers"], "num_attention_heads": o["heads"],
              "num_key_value_heads": o["kv_heads"], "head_dim": o["d"] // o["heads"], "vocab_size": o["vocab"], "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16",
              "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    header, parts, offset = {}, [], 0
    pool, one, embedding = blocks("F8_E4M3"), struct.pack("<H", 0x3F80), blocks("BF16")

    def add(name, dtype, shape, length, data):
        nonlocal offset
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + length]}
        parts.append((data, length))
        offset += length

    for _, name, shape in shapes(**o):
        if len(shape) == 1:
            add(name + ".weight", "BF16", shape, 2 * shape[0], one * shape[0])
        elif name == "model.embed_tokens":
            add(name + ".weight", "BF16", shape, 2 * shape[0] * shape[1], embedding)
        else:
            scales = [-(-n // 128) for n in shape]
            add(name + ".weight_scale_inv", "F32", scales, 4 * scales[0] * scales[1], struct.pack("<f", 0.04) * (scales[0] * scales[1]))
            add(name + ".weight", "F8_E4M3", shape, shape[0] * shape[1], pool)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for data, length in parts:
            write_data(f, data, length)


def write(out, fmt, **options):
    o = {"layers": 16, "d": 2048, "ff": 5632, "heads": 32, "kv_heads": 4, "vocab": 32000} | options
    if fmt == "F8_E4M3":
        fp8(out, o)
    else:
        gguf(out, fmt, o)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in (*TYPES, "F8_E4M3"):
        sys.exit(__doc__)
    write(sys.argv[1], sys.argv[2], **{k: int(v) for k, v in (a.split("=") for a in sys.argv[3:])})
