"""Writes the notebook without outputs: python make.py

The tests execute it; outputs are not stored, so that they cannot be out of date.
"""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CELLS = [
    """# From sentences to a model to a search

Everything here runs on what the package ships: a small encoder, sentences of a grammar, and pairs with scores. With a
model and sentences of your own, only the first two cells change.""",
    ">import micse\n\nmodel = micse.SentenceEncoder('demo')  # or a folder, or an ID of the Hub: 'all-MiniLM-L6-v2'\nmodel",
    ">sentences = micse.demo_sentences()\nprint(len(sentences))\nsentences[:3]",
    "## Embeddings and their similarity",
    """>some = ['The doctor visited the old hospital.', 'A nurse saw the clinic.', 'The bank raised its rates.']
rows = model.encode(some)
print(rows.shape, rows.dtype)
model.similarity(rows, rows).round(2)""",
    "## Search",
    """>for hit in micse.search(model, sentences[:2000], 'a visitor opened the cinema', top=3)[0]:
    print(f"{hit['score']:.3f}  {hit['text']}")""",
    """## Training

A judge without labels compares the model before and after on sentences that are held out, and keeps the trained weights,
an average of both, or the start's: here, what is better for similarity. `on_step` sees every step; Ctrl-C (the stop
button) saves a checkpoint, and the same call resumes.""",
    """>import tempfile
from pathlib import Path

runs = Path(tempfile.mkdtemp())
losses = []
run = micse.train('demo', sentences[:600], runs / 'first', purpose='similarity', steps=40,
                  on_step=lambda step: losses.append(step['loss']))
chosen = run.result['result']['chosen']
print(f"kept: {100 * chosen['share']:.0f} % of the change; loss {losses[0]:.3f} to {losses[-1]:.3f}")""",
    """>own = run.load()
micse.judge(model, own, sentences[1000:1400])['effects']""",
    """## The low-shot curve

SimCSE and attention mutual information (AMI, the subject of miCSE) with few and with more sentences, scored on the demo's
pairs (Spearman x 100). Two seeds of a few steps show how such a curve is made, not which method is better: for that there
is `micse sweep`.""",
    """>sizes, seeds = [100, 400, 1600], [48, 49]
settings = {'optimizer.lr': 1e-4, 'optimizer.batch_size': 50}
own_settings = {'simcse-baseline': {}, 'ami-simcse': {'objectives.ami.weight': 3}}


def score(recipe, size, seed):
    name = f'{recipe}-{size}-{seed}'
    run = micse.train('demo', sentences, runs / name, recipe=recipe, size=size, seed=seed, steps=20,
                      keep='last', settings={**settings, **own_settings[recipe]})
    return micse.evaluate(run.model)['average']


start = micse.evaluate(model)['average']
curves = {
    recipe: [[score(recipe, size, seed) for seed in seeds] for size in sizes]
    for recipe in own_settings
}
curves""",
    """>import matplotlib.pyplot as plt
import numpy as np

for recipe, scores in curves.items():
    means, spread = np.mean(scores, axis=1), np.std(scores, axis=1, ddof=1)
    plt.errorbar(sizes, means, yerr=spread, marker='o', capsize=3, label=recipe)
plt.axhline(start, color='grey', linestyle=':', label='untrained')
plt.xscale('log')
plt.minorticks_off()
plt.xticks(sizes, sizes)
plt.xlabel('training sentences')
plt.ylabel('Spearman x 100 on the demo pairs')
plt.legend();""",
]


def main():
    notebook = new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    for number, text in enumerate(CELLS):
        cell = new_code_cell(text[1:]) if text.startswith(">") else new_markdown_cell(text)
        # Fixed, so that the file changes only with its cells.
        cell["id"] = f"cell-{number:02}"
        notebook.cells.append(cell)
    nbformat.write(notebook, Path(__file__).with_name("sentences-to-search.ipynb"))


if __name__ == "__main__":
    main()
