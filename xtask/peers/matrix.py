"""One measurement of another library, for comparison with `cargo xtask bench encode --matrix --python PYTHON`, which runs it.

    python xtask/peers/matrix.py MODEL_FOLDER ENGINE KIND TEXTS.txt --threads N --limit TOKENS --seconds S --batch B \
        --onnx FILE [--output FILE.npy]
    python xtask/peers/matrix.py MODEL_FOLDER export --onnx FILE

ENGINE: `st` is sentence-transformers (PyTorch, f32); `onnx` is onnxruntime on an f32 graph with the tokenizers package,
and `onnx-int8` the same on a dynamically quantised graph. KIND: `one` repeats the first text, `many` encodes all texts,
`file` also reads them and writes the rows. `export` writes FILE and its int8 form. Prints one line of JSON.

Needs sentence-transformers; ONNX also needs onnx, onnxruntime and tokenizers.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

WARM_UP, FEWEST, WARM_TEXTS = 10, 20, 64


def int8(path):
    return str(Path(path).with_suffix(".int8.onnx"))


def export(folder, path):
    """Writes the whole model, from token IDs to embeddings, as an f32 graph, and quantised."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"}).float().eval()
    example = dict(model.tokenize(["a sentence", "another sentence that is longer"]))
    names = [name for name in example if name in ("input_ids", "attention_mask", "token_type_ids")]

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *inputs):
            return self.model(dict(zip(names, inputs)))["sentence_embedding"]

    torch.onnx.export(
        Whole(),
        tuple(example[name] for name in names),
        path,
        input_names=names,
        output_names=["rows"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names} | {"rows": {0: "texts"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(path, int8(path), weight_type=QuantType.QInt8)


class SentenceTransformers:
    def __init__(self, options):
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(options.threads)
        # transformers keeps weights in the precision of the file.
        self.model = SentenceTransformer(options.model, device="cpu").float()
        self.model.max_seq_length = options.limit
        self.batch = options.batch

    def encode(self, texts):
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)

    def tokens(self, texts):
        fed = self.model.tokenizer(texts, truncation=True, max_length=self.model.max_seq_length)
        return sum(len(ids) for ids in fed["input_ids"])


class Onnx:
    def __init__(self, options, path):
        import onnxruntime
        from tokenizers import Tokenizer

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        self.session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        self.names = [each.name for each in self.session.get_inputs()]
        folder = Path(options.model)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        pad = json.loads((folder / "tokenizer_config.json").read_text()).get("pad_token", "[PAD]")
        pad = pad["content"] if isinstance(pad, dict) else pad
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id(pad), pad_token=pad)
        self.tokenizer.enable_truncation(options.limit)
        self.batch = options.batch

    def encode(self, texts):
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        parts = []
        for start in range(0, len(order), self.batch):
            encoded = self.tokenizer.encode_batch([texts[i] for i in order[start : start + self.batch]])
            fed = {
                "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
                "attention_mask": np.array([e.attention_mask for e in encoded], dtype=np.int64),
                "token_type_ids": np.array([e.type_ids for e in encoded], dtype=np.int64),
            }
            parts.append(self.session.run(None, {name: fed[name] for name in self.names})[0])
        return np.concatenate(parts)[np.argsort(order)]

    def tokens(self, texts):
        return sum(sum(e.attention_mask) for e in self.tokenizer.encode_batch(texts))


def latencies(seconds, work):
    for _ in range(WARM_UP):
        work()
    begun, times = time.perf_counter(), []
    while len(times) < FEWEST or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    return {"median_ms": float(np.median(times)), "p95_ms": times[(len(times) - 1) * 95 // 100]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("engine", choices=["st", "onnx", "onnx-int8", "export"])
    parser.add_argument("kind", choices=["one", "many", "file"], nargs="?")
    parser.add_argument("texts", nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--onnx")
    parser.add_argument("--output")
    options = parser.parse_args()
    if options.engine == "export":
        return export(options.model, options.onnx)
    if options.engine == "st":
        engine = SentenceTransformers(options)
    else:
        engine = Onnx(options, int8(options.onnx) if options.engine == "onnx-int8" else options.onnx)
    loaded = time.perf_counter()
    texts = Path(options.texts).read_text(encoding="utf-8").rstrip("\n").split("\n")
    if options.kind == "file":
        rows = engine.encode(texts)
        np.save(options.output, rows)
        report = {"seconds": time.perf_counter() - loaded}
    elif options.kind == "many":
        rows = engine.encode(texts[:WARM_TEXTS])
        start = time.perf_counter()
        engine.encode(texts)
        report = {"seconds": time.perf_counter() - start}
    else:
        texts = texts[:1]
        rows = engine.encode(texts)
        report = latencies(options.seconds, lambda: engine.encode(texts))
    report["row"] = [float(value) for value in rows[0]]
    # The whole process of `file` is timed, so it does nothing else.
    if options.kind != "file":
        report["tokens"] = int(engine.tokens(texts))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
