"""Embeddings: the values of the command, arguments and types of sentence-transformers, wrong input."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import micse


def command(*arguments):
    """The command of this environment."""
    program = Path(sys.executable).parent / "micse"
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True)


def test_the_values_are_those_of_the_command_to_the_bit(model, sentences, tmp_path):
    # More than one chunk.
    many = [f"{sentence} {i}" for i in range(4) for sentence in sentences]
    text = tmp_path / "text.txt"
    text.write_text("\n".join(many), encoding="utf-8")
    command("encode", "--model", "demo", "--input", str(text), "--output", str(tmp_path / "rows.npy"))
    rows = np.load(tmp_path / "rows.npy")
    own = model.encode(many)
    assert own.dtype == np.float32 and own.shape == (len(many), 256)
    assert np.array_equal(own, rows)


def test_threads_change_no_bit(model, sentences):
    threads = micse.num_threads()
    rows = []
    for count in (1, 2, 3):
        micse.set_num_threads(count)
        assert micse.num_threads() == count
        rows.append(model.encode(sentences))
    micse.set_num_threads(threads)
    assert all(np.array_equal(rows[0], other) for other in rows[1:])
    with pytest.raises(ValueError, match="between 1 and"):
        micse.set_num_threads(0)


def peer(folder):
    """The same model in sentence-transformers; in float32, as here, although the weights are stored in half precision."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    arguments = {"dtype": "float32"}
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu", model_kwargs=arguments)


def test_sentence_transformers_agrees(model, sentences):
    theirs = peer(model.folder).encode(sentences)
    assert np.abs(model.encode(sentences) - theirs).max() < 1e-5


def test_one_text_gives_one_row_and_a_list_gives_rows(model):
    one = model.encode("A dog runs.")
    assert np.array_equal(one, model.encode(inputs="A dog runs."))
    assert np.array_equal(one, model.encode(sentences="A dog runs."))
    assert one.shape == (256,)
    assert np.allclose(one, model.encode(["A dog runs.", "A cat sleeps on the sofa."])[0], atol=1e-6)
    assert model.encode([]).shape == (0, 256)
    rows = model.encode(["A dog runs."], convert_to_numpy=False)
    assert isinstance(rows, list) and rows[0].shape == (256,)


def test_containers_of_python_programs_are_texts(model):
    texts = ["A dog runs.", "A cat sleeps."]
    rows = model.encode(texts)
    forms = [tuple(texts), np.array(texts), (text for text in texts)]
    for library in ("pandas", "polars"):
        try:
            forms.append(__import__(library).Series(texts))
        except ImportError:
            pass
    try:
        import pandas

        with pytest.raises(TypeError, match="pass one column"):
            model.encode(pandas.DataFrame({"text": texts}))
    except ImportError:
        pass
    for form in forms:
        assert np.array_equal(model.encode(form), rows), type(form)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (["a", None], TypeError, "sentence 1 is None"),
        (["a", b"b"], TypeError, "sentence 1 is bytes; decode it"),
        (["a", 3.5], TypeError, "sentence 1 has the type float"),
        ([["a"]], TypeError, "sentence 0 has the type list"),
        (["a\ud800"], ValueError, "sentence 0 contains a lone surrogate"),
        (b"a", TypeError, "must be a list of texts"),
        (None, TypeError, "not NoneType"),
        (7, TypeError, "not int"),
        ({"a": 1}, TypeError, "not dict"),
        (np.array([["a"]]), TypeError, "one dimension"),
        (np.array([1.0]), TypeError, "sentence 0 has the type float"),
    ],
)
def test_what_is_no_text_is_named(model, wrong, error, says):
    with pytest.raises(error, match=says):
        model.encode(wrong)


def test_odd_texts_have_embeddings(model):
    odd = ["", " ", "\x00", "a\nb", "🙂" * 40, "word " * 2000, "\u202e\u0301", np.str_("text")]
    rows = model.encode(odd)
    assert np.isfinite(rows).all() and len(rows) == len(odd)


def test_arguments_that_have_no_meaning_say_so(model):
    for arguments, says in [
        ({"convert_to_tensor": True}, "torch.from_numpy"),
        ({"output_value": "token_embeddings"}, "only 'sentence_embedding'"),
        ({"precision": "binary"}, "quantise"),
        ({"precision": "f16"}, "must be one of"),
        ({"device": "cuda"}, "computes on 'cpu'"),
        ({"batch_size": 0}, "positive"),
        ({"prompt_name": "none"}, "no prompt is named"),
        ({"truncate_dim": 0}, "truncate_dim"),
        ({"truncate_dim": 257}, "truncated to 257"),
        ({"batch_tokens": 0}, "at least 1"),
    ]:
        with pytest.raises(ValueError, match=says):
            model.encode(["a"], **arguments)
    with pytest.raises(TypeError):
        model.encode(["a"], no_such_argument=1)
    with pytest.raises(TypeError, match="same argument"):
        model.encode(["a"], sentences=["a"])
    with pytest.raises(ValueError, match="truncated to 257"):
        micse.SentenceEncoder("demo", truncate_dim=257)


def test_truncation_comes_before_the_length_of_one(model):
    whole = model.encode(["A dog runs.", "A cat sleeps."])
    short = model.encode(["A dog runs.", "A cat sleeps."], truncate_dim=64, normalize_embeddings=True)
    kept = whole[:, :64]
    assert np.allclose(short, kept / np.linalg.norm(kept, axis=1, keepdims=True), atol=1e-6)
    encoder = micse.SentenceEncoder("demo", truncate_dim=64)
    assert encoder.get_sentence_embedding_dimension() == 64
    assert np.array_equal(encoder.encode(["A dog runs.", "A cat sleeps."]), kept)


def truncating(model, folder, entries):
    """A copy of the model whose folder truncates embeddings."""
    shutil.copytree(model.folder, folder)
    settings = folder / "config_sentence_transformers.json"
    keys = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**keys, "truncate_dim": entries}), encoding="utf-8")
    return folder


def test_the_truncation_of_a_folder_can_be_lifted_and_may_exceed_the_dimension(model, tmp_path):
    whole = model.encode(["a dog"])
    encoder = micse.SentenceEncoder(truncating(model, tmp_path / "short", 64))
    assert np.array_equal(encoder.encode(["a dog"]), whole[:, :64])
    encoder.truncate_dim = None
    assert np.array_equal(encoder.encode(["a dog"]), whole)
    assert encoder.get_sentence_embedding_dimension() == 256
    assert micse.evaluate(encoder)["dimension"] == 256
    encoder.truncate_dim = 128
    assert np.array_equal(encoder.encode(["a dog"]), whole[:, :128])
    long = micse.SentenceEncoder(truncating(model, tmp_path / "long", 999))
    assert (long.truncate_dim, long.get_sentence_embedding_dimension()) == (999, 256)
    assert np.array_equal(long.encode(["a dog"]), whole)
    assert np.array_equal(long.encode(["a dog"], truncate_dim=8), whole[:, :8])
    with pytest.raises(ValueError, match="truncated to 998"):
        long.truncate_dim = 998
        long.encode(["a dog"])


def test_the_truncation_of_a_folder_agrees_with_sentence_transformers(model, tmp_path):
    for entries in (64, 999):
        folder = truncating(model, tmp_path / str(entries), entries)
        own, theirs = micse.SentenceEncoder(folder), peer(folder)
        assert np.abs(own.encode(["a dog"]) - theirs.encode(["a dog"])).max() < 1e-5
        own.truncate_dim = theirs.truncate_dim = None
        assert np.abs(own.encode(["a dog"]) - theirs.encode(["a dog"])).max() < 1e-5


def test_batch_tokens_change_only_rounding(model, sentences):
    assert np.allclose(model.encode(sentences, batch_tokens=64), model.encode(sentences), atol=1e-5)


def test_bf16_is_close(model, sentences):
    exact, rounded = model.encode(sentences), model.encode(sentences, precision="bf16")
    cosines = (exact * rounded).sum(1) / (np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1))
    assert 0.999 < cosines.min() and not np.array_equal(exact, rounded)


def prompted(model, tmp_path, include=True):
    """A copy of the model whose folder has prompts."""
    folder = tmp_path / "prompted"
    shutil.copytree(model.folder, folder)
    settings = folder / "config_sentence_transformers.json"
    keys = json.loads(settings.read_text(encoding="utf-8"))
    keys["prompts"] = {"query": "find: ", "passage": "text: "}
    settings.write_text(json.dumps(keys), encoding="utf-8")
    pooling = folder / "1_Pooling" / "config.json"
    keys = json.loads(pooling.read_text(encoding="utf-8"))
    pooling.write_text(json.dumps({**keys, "include_prompt": include}), encoding="utf-8")
    return folder


def test_prompts(model, tmp_path):
    folder = prompted(model, tmp_path)
    encoder = micse.SentenceEncoder(folder)
    plain = model.encode(["find: a dog", "text: a dog", "a dog"])
    assert np.allclose(encoder.encode_query(["a dog"])[0], plain[0], atol=1e-6)
    # "document" always exists, and is empty unless the folder sets it.
    assert np.allclose(encoder.encode_document(["a dog"])[0], plain[2], atol=1e-6)
    assert np.allclose(encoder.encode(["a dog"], prompt_name="passage")[0], plain[1], atol=1e-6)
    assert np.allclose(encoder.encode(["a dog"], prompt="find: ")[0], plain[0], atol=1e-6)
    own = micse.SentenceEncoder(folder, prompts={"other": "text: "}, default_prompt_name="other")
    assert np.allclose(own.encode(["a dog"])[0], plain[1], atol=1e-6)
    with pytest.raises(ValueError, match="no prompt is named 'nothing'"):
        micse.SentenceEncoder(folder, default_prompt_name="nothing")


def test_prompts_outside_the_pooling_agree_with_sentence_transformers(model, tmp_path):
    folder = prompted(model, tmp_path, include=False)
    theirs = peer(folder).encode_query(["a dog", "the cat sleeps"])
    assert np.abs(micse.SentenceEncoder(folder).encode_query(["a dog", "the cat sleeps"]) - theirs).max() < 1e-5


def test_the_folder_s_own_settings(model, tmp_path):
    folder = prompted(model, tmp_path)
    settings = folder / "config_sentence_transformers.json"
    keys = json.loads(settings.read_text(encoding="utf-8"))
    more = {"default_prompt_name": "passage", "truncate_dim": 64, "similarity_fn_name": "dot"}
    settings.write_text(json.dumps({**keys, **more}), encoding="utf-8")
    own = micse.SentenceEncoder(folder)
    assert (own.default_prompt_name, own.truncate_dim, own.similarity_fn_name) == ("passage", 64, "dot")
    plain = model.encode(["text: a dog", "other: a dog", "a dog"])
    assert np.allclose(own.encode(["a dog"]), plain[:1, :64], atol=1e-6)
    assert np.allclose(own.encode(["a dog"], truncate_dim=128), plain[:1, :128], atol=1e-6)
    other = micse.SentenceEncoder(folder, prompts={"passage": "other: "})
    assert np.allclose(other.encode(["a dog"]), plain[1:2, :64], atol=1e-6)
    other.default_prompt_name = None
    assert np.allclose(other.encode(["a dog"]), plain[2:, :64], atol=1e-6)


def test_the_folder_s_own_settings_agree_with_sentence_transformers(model, tmp_path):
    folder = prompted(model, tmp_path)
    settings = folder / "config_sentence_transformers.json"
    keys = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**keys, "default_prompt_name": "passage", "truncate_dim": 64}), encoding="utf-8")
    own = micse.SentenceEncoder(folder)
    theirs = peer(folder)
    assert np.abs(theirs.encode(["a dog"]) - own.encode(["a dog"])).max() < 1e-5
    assert np.abs(theirs.encode(["a dog"], truncate_dim=128) - own.encode(["a dog"], truncate_dim=128)).max() < 1e-5


def test_the_token_limit_can_be_set(tmp_path):
    encoder = micse.SentenceEncoder("demo")
    assert encoder.max_seq_length == 128
    encoder.max_seq_length = 5
    ids = encoder.token_ids(["a dog runs over the long hill", "a"])
    assert [len(row) for row in ids] == [5, 3]
    cut = encoder.encode(["a dog runs over the long hill"])
    encoder.max_seq_length = 128
    assert np.allclose(cut, encoder.encode(["a dog runs"]), atol=1e-6)
    with pytest.raises(ValueError, match="need 3"):
        encoder.max_seq_length = 2


def test_similarities(model):
    a = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    b = np.array([[0.0, 2.0], [6.0, 8.0], [1.0, 1.0]])
    for name, value in [("cosine", 0.8), ("dot", 8.0), ("euclidean", -np.sqrt(13)), ("manhattan", -5.0)]:
        model.similarity_fn_name = name
        assert np.isclose(model.similarity(a, b)[1, 0], value), name
        assert np.allclose(model.similarity_pairwise(a, b), np.diag(model.similarity(a, b))), name
        assert model.similarity(np.zeros((0, 2)), b).shape == (0, 3)
    with pytest.raises(ValueError, match="must be one of"):
        model.similarity_fn_name = "cos"
    model.similarity_fn_name = "cosine"
    assert model.similarity(a[0], b).shape == (1, 3)
    with pytest.raises(ValueError, match="must be one of"):
        micse.SentenceEncoder("demo", similarity_fn_name="angle")


def test_copies_and_pickles_load_the_model_again(model):
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.encode(["A dog runs."]), model.encode(["A dog runs."]))


def test_models_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(micse.Error, match="no such folder"):
        micse.SentenceEncoder("./no/such/folder")
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(micse.Error, match="neither tokenizer.json"):
        micse.SentenceEncoder(tmp_path)


def test_scikit_learn(model, sentences):
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = [sentence.split()[1] for sentence in sentences]
    pipeline = make_pipeline(micse.SentenceEncoder("demo"), LogisticRegression(max_iter=1000))
    assert clone(pipeline).fit(sentences, labels).score(sentences, labels) > 0.9
    assert np.array_equal(pipeline[0].fit_transform(sentences), model.encode(sentences))
    pipeline.set_params(sentenceencoder__truncate_dim=32)
    assert pipeline[0].transform(["a"]).shape == (1, 32)
    encoder = micse.SentenceEncoder(
        "demo", prompts={"x": "find: "}, default_prompt_name="x", similarity_fn_name="dot", max_seq_length=7
    )
    copy = clone(encoder)
    assert np.array_equal(copy.encode(sentences[:5]), encoder.encode(sentences[:5]))
    assert (copy.similarity_fn_name, copy.max_seq_length) == ("dot", 7)


def test_scikit_learn_copies_the_settings_that_were_made_since(model, tmp_path):
    clone = pytest.importorskip("sklearn.base").clone
    encoder = micse.SentenceEncoder("demo")
    assert clone(encoder).get_params() == encoder.get_params()
    encoder.truncate_dim, encoder.max_seq_length, encoder.similarity_fn_name = 32, 7, "dot"
    encoder.prompts["x"] = "find: "
    encoder.default_prompt_name = "x"
    # A copy of a copy has them too, and so has one with other arguments.
    for copy in (clone(encoder), clone(clone(encoder)), clone(encoder).set_params(precision="f32")):
        assert np.array_equal(copy.encode(["a dog runs"]), encoder.encode(["a dog runs"]))
        assert (copy.similarity_fn_name, copy.max_seq_length, copy.default_prompt_name) == ("dot", 7, "x")
    # None is not the folder's own.
    folder = truncating(model, tmp_path / "short", 64)
    settings = folder / "config_sentence_transformers.json"
    keys = json.loads(settings.read_text(encoding="utf-8"))
    more = {"prompts": {"x": "find: "}, "default_prompt_name": "x"}
    settings.write_text(json.dumps({**keys, **more}), encoding="utf-8")
    encoder = micse.SentenceEncoder(folder)
    encoder.truncate_dim = encoder.default_prompt_name = None
    assert np.array_equal(clone(encoder).encode(["a dog"]), model.encode(["a dog"]))
    # A wrong argument changes nothing.
    with pytest.raises(ValueError, match="truncated to 999"):
        encoder.set_params(truncate_dim=999)
    assert np.array_equal(encoder.encode(["a dog"]), model.encode(["a dog"]))


def test_a_path_is_a_folder_and_not_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (Path("demo"), Path("./demo"), Path("all-MiniLM-L6-v2")):
        with pytest.raises(micse.Error, match="no such folder"):
            micse.SentenceEncoder(path)
        with pytest.raises(micse.Error, match="no such folder"):
            micse.train(path, ["a dog", "a cat"], "run")
    with pytest.raises(micse.Error, match="no such folder"):
        micse.evaluate("demo", Path("demo"))
    with pytest.raises(micse.Error, match="no such folder"):
        micse.train("demo", ["a dog", "a cat"], "run", sts=Path("demo"))
    with pytest.raises(micse.Error, match="no such recipe"):
        micse.train("demo", ["a dog", "a cat"], "run", recipe=Path("simcse"))
    shutil.copytree(micse.SentenceEncoder("demo").folder, tmp_path / "demo")
    assert micse.SentenceEncoder(Path("demo")).folder.resolve() == (tmp_path / "demo").resolve()
    assert micse.SentenceEncoder(tmp_path / "demo").folder == tmp_path / "demo"
    with pytest.raises(ValueError, match="not valid UTF-8"):
        micse.SentenceEncoder(Path("\udcff"))


def static_folder(model, folder, width, **settings):
    """A model of random token vectors; returns them."""
    vocabulary = len((model.folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    table = np.random.default_rng(48).normal(size=(vocabulary, width)).astype(np.float32)
    folder.mkdir()
    shutil.copy(model.folder / "tokenizer.json", folder)
    header = {"embeddings": {"dtype": "F32", "shape": list(table.shape), "data_offsets": [0, table.nbytes]}}
    header = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + table.tobytes())
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": False}), encoding="utf-8")
    if settings:
        modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}]
        (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
        (folder / "config_sentence_transformers.json").write_text(json.dumps(settings), encoding="utf-8")
    return table


def test_token_vectors_of_a_folder_that_truncates(model, tmp_path):
    static_folder(model, tmp_path / "whole", 6)
    whole = micse.SentenceEncoder(tmp_path / "whole").encode(["a dog", "the cat"])
    static_folder(model, tmp_path / "static", 6, truncate_dim=2)
    encoder = micse.SentenceEncoder(tmp_path / "static")
    assert np.array_equal(encoder.encode(["a dog", "the cat"]), whole[:, :2])
    assert np.array_equal(encoder.encode(["a dog", "the cat"], truncate_dim=4), whole[:, :4])
    assert micse.SentenceEncoder(tmp_path / "static", truncate_dim=5).encode("a dog").shape == (5,)
    encoder.truncate_dim = None
    assert np.array_equal(encoder.encode(["a dog", "the cat"]), whole)
    with pytest.raises(ValueError, match="between 1 and 6"):
        encoder.encode(["a dog"], truncate_dim=7)
    static_folder(model, tmp_path / "long", 6, truncate_dim=999)
    long = micse.SentenceEncoder(tmp_path / "long")
    assert np.array_equal(long.encode(["a dog", "the cat"]), whole)
    assert long.get_sentence_embedding_dimension() == 6


def test_token_vectors(model, tmp_path):
    folder = tmp_path / "static"
    table = static_folder(model, folder, 6)
    encoder = micse.SentenceEncoder(folder)
    assert encoder.get_sentence_embedding_dimension() == 6 and encoder.max_seq_length == 512
    ids = encoder.token_ids(["a dog runs", "the cat"])
    rows = encoder.encode(["a dog runs", "the cat"])
    assert np.allclose(rows, [table[row].mean(axis=0) for row in ids], atol=1e-6)
    assert np.allclose(encoder.encode(["runs"], prompt="a dog "), rows[:1], atol=1e-6)
    counts = []
    encoder._model.encode(["a dog"] * 500, progress=counts.append)
    assert sum(counts) == 500
    with pytest.raises(micse.Error, match="averaged in f32"):
        encoder.encode(["a"], precision="bf16")
    with pytest.raises(ValueError, match="that of its tokenizer"):
        encoder.max_seq_length = 5
    with pytest.raises(micse.Error, match="no pooling cls"):
        micse.SentenceEncoder(folder, pooling="cls")
    with pytest.raises(micse.Error, match="token vectors|StaticEmbedding"):
        micse.train(folder, ["a dog", "a cat"], tmp_path / "run")
