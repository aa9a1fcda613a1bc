"""Encoding speed of a sentence-transformers model folder, for comparison with `cargo xtask bench encode`.

    python xtask/peers/encode.py MODEL_FOLDER st|onnx STS_TEST.csv|SENTENCES.txt [--threads 2] [--batch 64] [--rounds 3] \
        [--onnx FILE]

`st` is sentence-transformers (PyTorch, f32); `onnx` is onnxruntime on an f32 graph (exported to FILE if it does not
exist). Encodes both columns of the STS-B test set, or the lines of a text file, sorted by length. The time includes
tokenizing; the best round counts. Prints one line of JSON, including the peak memory of the process. Needs
sentence-transformers; `onnx` also needs onnx and onnxruntime.
"""

import argparse
import json
import os
import resource
import time

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class Mean(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        weights = attention_mask[:, :, None].to(torch.float32)
        mean = (out.last_hidden_state * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


def session(folder, path, threads):
    import onnxruntime

    if not os.path.exists(path):
        tokens, mask = torch.full((2, 9), 1000), torch.ones(2, 9, dtype=torch.long)
        axes = {name: {0: "sentences", 1: "tokens"} for name in INPUTS} | {"rows": {0: "sentences"}}
        example = (tokens, mask, torch.zeros_like(tokens))
        torch.onnx.export(
            Mean(folder),
            example,
            path,
            input_names=INPUTS,
            output_names=["rows"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("engine", choices=["st", "onnx"])
    parser.add_argument("sentences")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--onnx", default="model.onnx")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with open(args.sentences, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    if args.sentences.endswith(".txt"):
        sentences = [line for line in lines if line.strip()]
    else:
        rows = [line.split("\t") for line in lines]
        sentences = [row[column].strip() for column in (5, 6) for row in rows]

    if args.engine == "st":
        model = SentenceTransformer(args.model, device="cpu")

        def encode(batch):
            return model.encode(batch, batch_size=args.batch, show_progress_bar=False)
    else:
        run, tokenizer = session(args.model, args.onnx, args.threads), AutoTokenizer.from_pretrained(args.model)

        def encode(batch):
            order = sorted(range(len(batch)), key=lambda i: -len(batch[i]))
            parts = []
            for start in range(0, len(order), args.batch):
                chosen = [batch[i] for i in order[start : start + args.batch]]
                fed = tokenizer(chosen, padding=True, truncation=True, max_length=256, return_tensors="np")
                parts.append(run.run(None, {name: fed[name].astype(np.int64) for name in INPUTS})[0])
            out = np.concatenate(parts)
            return out[np.argsort(order)]

    encode(sentences[:256])
    times = []
    for _ in range(args.rounds):
        start = time.perf_counter()
        encode(sentences)
        times.append(time.perf_counter() - start)
    rate, peak = len(sentences) / min(times), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"engine": args.engine, "sentences_per_s": rate, "seconds": times, "peak_mib": peak}))


if __name__ == "__main__":
    main()
