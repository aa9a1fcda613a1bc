"""MTEB's own wrapper and evaluation, on a task of local pairs."""

import pytest

import micse
from micse.mteb import Encoder


def test_mteb_scores_a_model():
    mteb = pytest.importorskip("mteb")
    datasets = pytest.importorskip("datasets")
    from mteb.abstasks import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    sentences = micse.demo_sentences()[:60]
    pairs = {"sentence1": sentences[:40], "sentence2": sentences[20:60], "score": [float(i % 6) for i in range(40)]}

    class Local(AbsTaskSTS):
        metadata = TaskMetadata(
            name="LocalSTS",
            description="Sentences of a grammar.",
            reference=None,
            dataset={"path": "local", "revision": "1"},
            type="STS",
            category="t2t",
            modalities=["text"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="cosine_spearman",
        )
        min_score, max_score = 0, 5

        def load_data(self, *args, **kwargs):
            self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_dict(pairs)})
            self.data_loaded = True

    model = micse.SentenceEncoder("demo")
    result = mteb.evaluate(Encoder(model), Local(), cache=None)
    score = result.task_results[0].scores["test"][0]["cosine_spearman"]
    rows = [model.encode(pairs[key]) for key in ("sentence1", "sentence2")]
    cosines = model.similarity_pairwise(*rows)
    from scipy.stats import spearmanr

    assert abs(score - spearmanr(cosines, pairs["score"])[0]) < 1e-6
