"""What local attention costs: a random ModernBERT with global layers only, and with local ones only, in micse and PyTorch.

    python local_attention.py [--micse target/release/micse] [--threads 2]

Needs transformers and the built command. Prints milliseconds for a passage of n tokens, the smallest of three runs that
alternate; micse's without start and loading: the time of 9 passages less that of 1, divided by 8.
"""

import argparse
import os
import subprocess
import tempfile
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import transformers as t

LENGTHS = [512, 1024, 2048, 4096]
# Of MiniLM's width and depth; a window of 64 tokens to each side, as in ModernBERT-base.
SIZES = dict(vocab_size=1000, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=768,
             local_attention=128, max_position_embeddings=4200, pad_token_id=0, cls_token_id=2, sep_token_id=3,
             bos_token_id=2, eos_token_id=3)


def write(folder, kind):
    torch.manual_seed(48)
    kinds = [kind] * SIZES["num_hidden_layers"]
    model = t.ModernBertModel(t.ModernBertConfig(layer_types=kinds, **SIZES)).eval()
    model.save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(995)]
    t.BertTokenizer(vocab={word: i for i, word in enumerate(words)}, model_max_length=4200).save_pretrained(folder)
    return model


def passage(n, number):
    return " ".join(f"w{(7 * i + number) % 995}" for i in range(n - 2))


def micse(command, folder, n, threads):
    def seconds(count):
        with tempfile.TemporaryDirectory() as place:
            text = os.path.join(place, "text.txt")
            with open(text, "w") as file:
                file.writelines(passage(n, number) + "\n" for number in range(count))
            call = [command, "encode", "-q", "--model", folder, "--pooling", "mean", "--input", text, "--output",
                    os.path.join(place, "rows.npy"), "--threads", str(threads)]
            begun = time.perf_counter()
            subprocess.run(call, check=True)
            return time.perf_counter() - begun

    return (seconds(9) - seconds(1)) / 8


def pytorch(model, n):
    ids = torch.arange(n).remainder(995).add(5).unsqueeze(0)
    with torch.inference_mode():
        begun = time.perf_counter()
        model(input_ids=ids)
        return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--micse", default="target/release/micse")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as place:
        kinds = {}
        for name, kind in [("global", "full_attention"), ("local", "sliding_attention")]:
            folder = os.path.join(place, name)
            kinds[name] = (folder, write(folder, kind))
        print("| tokens | " + " | ".join(f"micse, {name} | PyTorch, {name}" for name in kinds) + " |")
        print("|---:|" + "---:|" * (2 * len(kinds)))
        for n in LENGTHS:
            best = {}
            for _ in range(3):
                for name, (folder, model) in kinds.items():
                    for who, found in [("micse", micse(options.micse, folder, n, options.threads)), ("pytorch", pytorch(model, n))]:
                        best[name, who] = min(best.get((name, who), found), found)
            cells = [f"{1000 * best[name, who]:.1f}" for name in kinds for who in ("micse", "pytorch")]
            print(f"| {n} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
