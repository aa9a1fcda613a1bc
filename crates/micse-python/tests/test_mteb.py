"""MTEB's own wrapper and evaluation, on a task of local pairs."""

import shutil

import pytest

import micse


def local_task(pairs):
    """A task of pairs that are not downloaded."""
    datasets = pytest.importorskip("datasets")
    from mteb.abstasks import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

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

    return Local()


def test_mteb_scores_each_model_even_if_it_knows_the_scores_of_another(tmp_path):
    mteb = pytest.importorskip("mteb")
    from scipy.stats import spearmanr

    sentences = micse.demo_sentences()[:60]
    pairs = {"sentence1": sentences[:40], "sentence2": sentences[20:60], "score": [float(i % 6) for i in range(40)]}
    cache = mteb.ResultCache(tmp_path)
    for model in (micse.SentenceEncoder("demo"), micse.SentenceEncoder("demo", pooling="cls")):
        rows = [model.encode(pairs[key]) for key in ("sentence1", "sentence2")]
        expected = spearmanr(model.similarity_pairwise(*rows), pairs["score"])[0]
        # The second time, MTEB takes the score from its files.
        for _ in range(2):
            result = mteb.evaluate(micse.mteb.Encoder(model), local_task(pairs), cache=cache)
            score = result.task_results[0].scores["test"][0]["cosine_spearman"]
            assert abs(score - expected) < 1e-6
    assert len(list(tmp_path.rglob("LocalSTS.json"))) == 2


def test_the_revision_is_that_of_the_files_and_settings(model, tmp_path):
    folder = tmp_path / "my model"
    shutil.copytree(model.folder, folder)
    load = micse.SentenceEncoder
    models = [
        load(folder),
        load(folder, pooling="cls"),
        load(folder, precision="bf16"),
        load(folder, truncate_dim=64),
        load(folder, max_seq_length=9),
        load(folder, similarity_fn_name="dot"),
        load(folder, prompts={"query": "find: "}),
        load(folder, prompts={"x": "find: "}, default_prompt_name="x"),
    ]
    encoders = [micse.mteb.Encoder(model) for model in models]
    assert {encoder.name for encoder in encoders} == {"local/my-model"}
    assert len({encoder.revision for encoder in encoders}) == len(models)
    assert micse.mteb.Encoder(load(folder)).revision == encoders[0].revision
    # A setting that is made later counts too.
    models[0].truncate_dim = 64
    assert encoders[0].revision == encoders[3].revision
    with open(folder / "config.json", "a", encoding="utf-8") as file:
        file.write("\n")
    assert micse.mteb.Encoder(load(folder, truncate_dim=64)).revision != encoders[3].revision


def test_the_name_is_that_of_the_hub_or_of_the_folder(model, tmp_path):
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "0123456789"
    shutil.copytree(model.folder, snapshot)
    run = tmp_path / "run" / "model"
    shutil.copytree(model.folder, run)
    named = lambda model, **given: micse.mteb.Encoder(model, **given).name
    assert named(micse.SentenceEncoder(snapshot)) == "owner/name"
    assert named(micse.SentenceEncoder(run)) == "local/run"
    assert named(model) == "local/demo"
    given = micse.mteb.Encoder(model, "me/mine", "1")
    assert (given.name, given.revision) == ("me/mine", "1")
    with pytest.raises(ValueError, match="owner/name"):
        micse.mteb.Encoder(model, "mine")
