"""Emulates int8 encoding of a BERT (docs/performance.md) in numpy, to choose its constants on any text.

    python xtask/peers/int8.py MODEL SAMPLE.txt TEXT.txt [--exponent 0.4] [--cut 6] [--damping 0.1]

Prints 1 - cosine to the f32 embeddings (mean pooling) over the sentences of TEXT, times 10,000. Weights are rounded with
statistics of SAMPLE. `--cut 0` cuts nothing. Needs numpy, scipy, safetensors and tokenizers.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer


class Encoder:
    def __init__(self, folder):
        folder = Path(folder)
        self.tensors = {k: v.astype(np.float32) for k, v in load_file(folder / "model.safetensors").items()}
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(128)
        self.linears = {}
        for layer in range(self.config["num_hidden_layers"]):
            base = f"encoder.layer.{layer}."
            names = {
                "qkv": [base + f"attention.self.{part}" for part in ("query", "key", "value")],
                "attention": [base + "attention.output.dense"],
                "intermediate": [base + "intermediate.dense"],
                "output": [base + "output.dense"],
            }
            for kind, parts in names.items():
                weight, bias = (np.concatenate([self.tensors[f"{p}.{n}"] for p in parts]) for n in ("weight", "bias"))
                self.linears[layer, kind] = weight, bias

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return x * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def encode(self, sentences, words, linear):
        """Mean-pooled rows; `linear` maps a linear layer's key and its input to its output."""
        lengths = [len(ids) for ids in sentences]
        ends = np.cumsum([0, *lengths])
        position = np.concatenate([np.arange(n) for n in lengths])
        x = words[np.concatenate(sentences)] + self.tensors["embeddings.position_embeddings.weight"][position]
        x = self.norm(x + self.tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        width, heads = x.shape[1], self.config["num_attention_heads"]
        for layer in range(self.config["num_hidden_layers"]):
            qkv, context = linear((layer, "qkv"), x), np.empty_like(x)
            for start, end in zip(ends, ends[1:]):
                parts = qkv[start:end].reshape(end - start, 3, heads, width // heads).transpose(1, 2, 0, 3)
                scores = parts[0] @ parts[1].transpose(0, 2, 1) / np.sqrt(width // heads)
                weights = np.exp(scores - scores.max(-1, keepdims=True))
                weights /= weights.sum(-1, keepdims=True)
                context[start:end] = (weights @ parts[2]).transpose(1, 0, 2).reshape(end - start, width)
            base = f"encoder.layer.{layer}."
            x = self.norm(linear((layer, "attention"), context) + x, base + "attention.output.LayerNorm")
            inner = linear((layer, "intermediate"), x)
            inner = (inner * 0.5 * (1 + erf(inner / np.sqrt(2)))).astype(np.float32)
            x = self.norm(linear((layer, "output"), inner) + x, base + "output.LayerNorm")
        return np.stack([x[start:end].mean(0) for start, end in zip(ends, ends[1:])])


def round_rows(weight):
    scale = np.abs(weight).max(1, keepdims=True) / 127
    return np.round(weight / scale) * scale


def compensated(weight, gram, damping):
    """Rounds column after column; each column compensates for the errors of the earlier ones (LDLQ)."""
    inputs = len(gram)
    gram = gram.astype(np.float64) + np.eye(inputs) * damping * np.trace(gram) / inputs
    factor = np.linalg.cholesky(gram[::-1, ::-1])[::-1, ::-1]
    feedback = (factor / np.diag(factor)).astype(np.float32)
    scale = np.abs(weight).max(1) / 127
    rounded, errors = np.zeros_like(weight), np.zeros_like(weight)
    for k in range(inputs):
        wanted = weight[:, k] + errors[:, :k] @ feedback[:k, k]
        rounded[:, k] = np.clip(np.round(wanted / scale), -127, 127) * scale
        errors[:, k] = weight[:, k] - rounded[:, k]
    return rounded


def round_activations(x, cut):
    low, high = x.min(1, keepdims=True), x.max(1, keepdims=True)
    if cut > 0:
        bound = cut * np.sqrt((x**2).mean(1, keepdims=True))
        low, high = np.maximum(low, -bound), np.minimum(high, bound)
    step = (high - low) / 255
    rounded = low + step * np.clip(np.round((x - low) / step), 0, 255)
    return np.where((x < low) | (x > high), x, rounded)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("sample")
    parser.add_argument("text")
    parser.add_argument("--exponent", type=float, default=0.4)
    parser.add_argument("--cut", type=float, default=6)
    parser.add_argument("--damping", type=float, default=0.1)
    options = parser.parse_args()
    encoder = Encoder(options.model)

    def read(path):
        lines = Path(path).read_text().split("\n")
        return [encoder.tokenizer.encode(line.strip()).ids for line in lines if line.strip()]

    def exact(key, x):
        weight, bias = encoder.linears[key]
        return x @ weight.T + bias

    words = encoder.tensors["embeddings.word_embeddings.weight"]
    text = read(options.text)
    wanted = encoder.encode(text, words, exact)

    grams, rows = {}, {}

    def observed(key, x):
        grams[key], rows[key] = x.T @ x, len(x)
        return exact(key, x)

    encoder.encode(read(options.sample), words, observed)
    rounded = {}
    for key, (weight, _) in encoder.linears.items():
        largest, size = np.abs(weight).max(0), np.sqrt(np.diag(grams[key]) / rows[key])
        factor = largest ** (1 - options.exponent) / size**options.exponent
        gram = grams[key] * factor[:, None] * factor[None, :]
        rounded[key] = factor, compensated(weight / factor, gram, options.damping)

    def int8(key, x):
        factor, weight = rounded[key]
        return round_activations(x * factor, options.cut) @ weight.T + encoder.linears[key][1]

    got = encoder.encode(text, round_rows(words), int8)
    cosine = (wanted * got).sum(1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(got, axis=1)
    print(f"{len(text)} sentences: mean {1e4 * (1 - cosine.mean()):.2f}, largest {1e4 * (1 - cosine.min()):.2f}")


if __name__ == "__main__":
    main()
