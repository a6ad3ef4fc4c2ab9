#!/usr/bin/env python3
"""Puts gpu_bench's times over their floors and beside PyTorch's own kernels, measured in the same run.

usage: peers.py LINES OUT_JSON        LINES: what gpu_bench printed, a JSON object a line

Floors: a copy of 2 GiB (bytes read plus written per second) and a bf16 8192^3 GEMM (random data), measured here. Peers:
scaled_dot_product_attention (Flash, cuDNN) on contiguous K and V of the same lengths, matmul (cuBLASLt), and the
sampling chain that sorts. Times are medians of CUDA graph replays over rotating inputs larger than the L2 cache. Without PyTorch or a GPU the floors are the
library's own probes and there are no peers.
"""
import json
import statistics
import sys

try:
    import torch

    HAVE_GPU = torch.cuda.is_available()
except ImportError:
    HAVE_GPU = False

BEYOND_L2 = 192 << 20
MAX_ROTATION = 256
LEAST_REPLAY_US = 2000


def median_us(calls):
    """calls: functions, run in turn inside one graph, as often as LEAST_REPLAY_US asks; the median time of one call."""

    def elapsed_us(run):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) * 1e3

    def run_all():
        for call in calls:
            call()

    torch.cuda.synchronize()  # the inputs are there, whatever stream made them
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        run_all()  # what is made at first use is not part of the graph
        torch.cuda.synchronize()
        repeat = max(1, -(-24 // len(calls)), round(LEAST_REPLAY_US / elapsed_us(run_all)))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(repeat):
            run_all()
    times = [elapsed_us(graph.replay) for _ in range(52)]
    return statistics.median(times[1:]) / (repeat * len(calls))


def rotating(make, size):
    return [make() for _ in range(max(1, min(MAX_ROTATION, -(-BEYOND_L2 // size))))]


def time_each(inputs, function):
    return median_us([lambda x=x: function(*x) for x in inputs])


def floors():
    half = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    other = torch.empty_like(half)
    copy_us = median_us([lambda: other.copy_(half)])
    a = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    b = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    out = torch.empty_like(a)
    gemm_us = median_us([lambda: torch.mm(a, b, out=out)])
    return {"copy_bytes_per_second": 2 * (1 << 30) / copy_us * 1e6, "bf16_flops_per_second": 2 * 8192**3 / gemm_us * 1e6}


def attention_peers(shape):
    """Contiguous K and V: what PyTorch serves; pages cost it a gather that is not counted."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    b, q_len, kv_len = shape["seqs"], shape["q_len"], shape["kv_len"]
    hq, hkv, d = shape["q_heads"], shape["kv_heads"], shape["head_dim"]

    def make():
        def tensor(heads, length):
            return torch.randn(b, heads, length, d, dtype=torch.bfloat16, device="cuda")

        return tensor(hq, q_len), tensor(hkv, kv_len), tensor(hkv, kv_len)

    inputs = rotating(make, 4 * b * hkv * kv_len * d)
    causal = q_len > 1 and q_len == kv_len
    peers = {}
    for name, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel([backend]):
                peers[name] = time_each(
                    inputs,
                    lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(
                        q, k, v, is_causal=causal, enable_gqa=True
                    ),
                )
        except RuntimeError as refused:
            print(f"peers: {name} refuses {shape}: {str(refused).splitlines()[0]}", file=sys.stderr)
    return peers


def linear_peers(shape):
    m, n, k = shape["m"], shape["n"], shape["k"]
    x = torch.randn(m, k, dtype=torch.bfloat16, device="cuda")
    inputs = rotating(lambda: (x, torch.randn(n, k, dtype=torch.bfloat16, device="cuda")), 2 * n * k)
    return {"cublaslt": time_each(inputs, lambda a, w: torch.nn.functional.linear(a, w))}


def sample_peers(shape):
    """The chain of a sampler that sorts: mask what top-k and top-p leave out, softmax, the exponential race."""
    rows, vocab, k, p = shape["rows"], shape["vocab"], shape["top_k"], shape["top_p_percent"] / 100
    dtype = torch.float32 if shape["logit_bytes"] == 4 else torch.bfloat16

    def sample(logits):
        logits = logits.float() / 0.8
        if k > 0 or p < 1:
            values, ids = logits.sort(dim=-1)
            if k > 0:
                values.masked_fill_(values < values[:, -k].unsqueeze(1), -float("inf"))
            if p < 1:
                cut = values.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
                cut[:, -1] = False
                values.masked_fill_(cut, -float("inf"))
            logits = torch.empty_like(logits).scatter_(1, ids, values)
        probabilities = logits.softmax(dim=-1)
        return probabilities.div_(torch.empty_like(probabilities).exponential_()).argmax(dim=-1)

    size = rows * vocab * shape["logit_bytes"]
    inputs = rotating(lambda: (torch.randn(rows, vocab, dtype=dtype, device="cuda"),), size)
    return {"torch": time_each(inputs, sample)}


def peers_of(line):
    shape = line["shape"]
    if line["kernel"] == "sample" and "greedy" not in line["case"] and "penalties" not in line["case"]:
        return sample_peers(shape)
    if line["kernel"] == "linear":
        return linear_peers(shape)
    if line["kernel"].startswith("attention") and shape["q_len"] in (1, shape["kv_len"]) and "skew" not in line["case"]:
        return attention_peers(shape) if "fp8" not in line["case"] else {}
    return {}


def main():
    lines = [json.loads(text) for text in open(sys.argv[1], encoding="utf-8") if text.startswith("{")]
    probes = {line["probe"]: line["per_second"] for line in lines if "probe" in line}
    limits = {"copy_bytes_per_second": probes.get("bandwidth"), "bf16_flops_per_second": probes.get("bf16_mma_sync")}
    if HAVE_GPU:
        limits = floors()
    rows, measured = [], {}
    for line in (line for line in lines if "kernel" in line):
        key = json.dumps([line["kernel"], line["shape"], "fp8" in line["case"]])
        if HAVE_GPU and key not in measured:
            measured[key] = peers_of(line)
        row = dict(line, peers=measured.get(key, {}))
        if limits["copy_bytes_per_second"]:
            floor_us = 1e6 * max(
                line["bytes"] / limits["copy_bytes_per_second"], line["flops"] / limits["bf16_flops_per_second"]
            )
            row["of_floor"] = floor_us / line["us"]
        rows.append(row)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump({"floors": limits, "probes": probes, "rows": rows}, out, indent=1)
        out.write("\n")
    for name, value in limits.items():
        print(f"{name}: {value:.4g}" if value else f"{name}: not measured on this device")
    print(f"{'kernel':<18} {'case':<44} {'us':>10} {'of floor':>9}  over peers (their time / ours)")
    for row in rows:
        ratios = "  ".join(f"{name} {us / row['us']:.2f}" for name, us in row["peers"].items())
        of_floor = f"{row['of_floor']:.2f}" if "of_floor" in row else "-"
        print(f"{row['kernel']:<18} {row['case']:<44} {row['us']:>10.2f} {of_floor:>9}  {ratios}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
