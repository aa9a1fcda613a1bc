"""What int8 encoding (docs/performance.md) gains if one product is kept in f32.

    python xtask/peers/int8_kept.py MICSE MODEL INT8 TEXT.txt [--every 79] [--lowest 100]

MICSE is the program, MODEL a BERT or MPNet, INT8 what `micse export MODEL --precision int8` wrote, TEXT one sentence per
line. For each product of a layer, prints 1 - cosine to the f32 embeddings with this product in f32 and all others in int8:
the mean over every 79th sentence, and the largest over these and the 100 sentences that have the lowest cosines if all
products are in int8. Layers count from 1. The first line is bf16. Needs numpy and safetensors.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("micse")
parser.add_argument("model", type=Path)
parser.add_argument("int8", type=Path)
parser.add_argument("text", type=Path)
parser.add_argument("--every", type=int, default=79)
parser.add_argument("--lowest", type=int, default=100)
args = parser.parse_args()
temporary = tempfile.TemporaryDirectory()
work = Path(temporary.name)


def encode(model, text, *more):
    output = work / "embeddings.npy"
    command = [args.micse, "--quiet", "encode", "--model", model, "--input", text, "--output", output, *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return np.load(output)


def errors(a, b):
    return 1 - (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def product(name):
    """The layer of a weight, and its product: queries, keys and values share one."""
    parts = name.removesuffix(".weight").split(".")
    at = parts.index("layer") + 1
    rest = parts[at + 1 :]
    return int(parts[at]) + 1, "qkv" if rest[-1] in ("q", "k", "v", "query", "key", "value") else ".".join(rest)


sentences = [line for line in args.text.read_text(encoding="utf-8").split("\n") if line.strip()]
exact = encode(args.model, args.text)
assert len(exact) == len(sentences), f"{len(exact)} embeddings of {len(sentences)} sentences"
lowest = np.argsort(-errors(exact, encode(args.int8, args.text)))[: args.lowest]
chosen = list(range(0, len(sentences), args.every))
both = list(lowest) + chosen
text = work / "sentences.txt"
text.write_text("".join(sentences[i] + "\n" for i in both), encoding="utf-8")


def show(name, embeddings):
    error = 1e4 * errors(exact[both], embeddings)
    print(f"{name}: {error[args.lowest :].mean():.2f} {error.max():.1f}", flush=True)


wide = load_file(args.model / "model.safetensors")
narrow = load_file(args.int8 / "int8.safetensors")
products = {}
for name in narrow:
    if name.endswith(".weight.factor"):
        weight = name.removesuffix(".factor")
        products.setdefault(product(weight), []).append(weight)

folder = work / "model"
shutil.copytree(args.int8, folder)
print("1 - cosine, x 10,000: mean, largest")
show("bf16", encode(args.model, text, "--precision", "bf16"))
for kept, weights in [("none", []), *sorted(products.items())]:
    tensors = dict(narrow)
    for weight in weights:
        del tensors[weight + ".scale"], tensors[weight + ".factor"]
        tensors[weight] = wide[weight]
    save_file(tensors, folder / "int8.safetensors", metadata={"format": "pt"})
    show(kept, encode(folder, text))
