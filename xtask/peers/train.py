"""Contrastive training steps in PyTorch, for comparison with `cargo xtask bench train`.

    python xtask/peers/train.py SENTENCES.txt TOKENIZER_FOLDER ARCH RECIPE [--bf16] [--threads 2] [--seconds 15]

ARCH is tiny, mini, minilm or base (as in `cargo xtask bench`); RECIPE is simcse, ami-simcse or micse. Trains
transformers' BertModel with random weights and stock settings: both views in one batch of 2 x 50 padded sentences,
truncated to 32 tokens; dropout 0.1; gradients clipped to norm 1; fused AdamW. AMI uses the last four layers, head by
head, and 150 positions per slice that are not padding and that dropout kept in both views. micse adds a momentum encoder
(dropout 0.3, SDPA attention) and a queue of 384. Tokenizing is not timed. Prints one line of JSON. Needs torch and
transformers.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertModel

SHAPES = {"tiny": (2, 128, 2), "mini": (4, 256, 4), "minilm": (6, 384, 12), "base": (12, 768, 12)}
BATCH, LENGTH, QUEUE, SAMPLES, TEMPERATURE = 50, 32, 384, 150, 0.05


def encoder(arch, dropout, attention):
    layers, hidden, heads = SHAPES[arch]
    config = BertConfig(
        vocab_size=30522,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        attn_implementation=attention,
    )
    return BertModel(config, add_pooling_layer=False).train()


def mutual_information(attentions):
    """-1/2 log(1 - rho^2) of the log attention of two views, averaged over slices (sentence, head, layer parity)."""
    maps = torch.stack(attentions[-4:]).float()  # layers, views x sentences, heads, n, n
    layers, _, heads, n, _ = maps.shape
    maps = maps.view(layers // 2, 2, 2, BATCH, heads, n * n)  # layer pair, parity, view, sentence, head, place
    x, y = maps.permute(2, 3, 4, 1, 0, 5).reshape(2, BATCH * heads * 2, -1)
    kept = ((x > 0) & (y > 0)).float()
    rows = kept.sum(1) >= SAMPLES
    places = torch.multinomial(kept[rows], SAMPLES)
    x, y = (view[rows].gather(1, places).log() for view in (x, y))
    rho = F.cosine_similarity(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True), dim=1)
    return (-0.5 * torch.log(1 - rho**2)).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sentences")
    parser.add_argument("tokenizer")
    parser.add_argument("arch", choices=SHAPES)
    parser.add_argument("recipe", choices=["simcse", "ami-simcse", "micse"])
    parser.add_argument("--bf16", action="store_true", help="run the forward pass under bfloat16 autocast")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    with open(args.sentences, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip()]
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    ids = tokenizer(lines, truncation=True, max_length=LENGTH)["input_ids"]
    order = torch.randperm(len(ids)).tolist()

    ami = args.recipe != "simcse"
    online = encoder(args.arch, 0.1, "eager" if ami else "sdpa")
    hidden = online.config.hidden_size
    head = torch.nn.Linear(hidden, hidden)
    parameters = [*online.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-5, weight_decay=0.0, fused=True)
    slow, queue = None, None
    if args.recipe == "micse":
        slow = encoder(args.arch, 0.3, "sdpa").requires_grad_(False)
        slow.load_state_dict(online.state_dict())
        queue = F.normalize(torch.randn(QUEUE, hidden), dim=1)

    def pooled(model, tokens, mask, **options):
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            out = model(input_ids=tokens, attention_mask=mask, **options)
            rows = torch.tanh(head(out.last_hidden_state[:, 0]))
        return F.normalize(rows.float(), dim=1), out

    times, real, begun = [], [], time.perf_counter()
    for step in range(10_000):
        chosen = [ids[order[(step * BATCH + i) % len(order)]] for i in range(BATCH)]
        start = time.perf_counter()
        padded = [torch.tensor(sentence) for sentence in chosen]
        tokens = torch.nn.utils.rnn.pad_sequence(padded, batch_first=True)
        mask = (torch.arange(tokens.shape[1]) < torch.tensor([[len(s)] for s in chosen])).long()
        rows, out = pooled(online, tokens.repeat(2, 1), mask.repeat(2, 1), output_attentions=ami)
        first, second = rows.chunk(2)
        others = second if queue is None else torch.cat([second, queue])
        loss = F.cross_entropy(first @ others.T / TEMPERATURE, torch.arange(BATCH))
        if ami:
            loss = loss - 2.5e-3 * mutual_information(out.attentions)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if slow is not None:
            with torch.no_grad():
                torch._foreach_lerp_(list(slow.parameters()), list(online.parameters()), 0.005)
                queue = torch.cat([pooled(slow, tokens, mask)[0], queue])[:QUEUE]
        if step >= 2:
            times.append(time.perf_counter() - start)
            real.append(2 * int(mask.sum()))
        else:
            begun = time.perf_counter()
        if len(times) >= 5 and time.perf_counter() - begun > args.seconds:
            break
    median = statistics.median(times)
    result = {
        "arch": args.arch,
        "recipe": args.recipe,
        "precision": "bf16" if args.bf16 else "f32",
        "steps": len(times),
        "ms_per_step": {"median": 1e3 * median, "min": 1e3 * min(times), "max": 1e3 * max(times)},
        "real_tokens_per_s": statistics.mean(real) / median,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
