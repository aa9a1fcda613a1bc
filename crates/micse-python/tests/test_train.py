"""Training: the command's result, callbacks, interruption, errors."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import micse


def weights(folder):
    return (Path(folder) / "model" / "model.safetensors").read_bytes()


def test_the_run_is_the_command_s_to_the_bit(tmp_path, sentences):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(sentences), encoding="utf-8")
    program = Path(sys.executable).parent / "micse"
    arguments = ["train", "--model", "demo", "--corpus", str(text), "--out", str(tmp_path / "command"), "--steps", "4"]
    subprocess.run([str(program), *arguments, "--keep", "last"], check=True, capture_output=True)
    steps = []
    run = micse.train("demo", text, tmp_path / "python", steps=4, keep="last", on_step=steps.append)
    assert weights(tmp_path / "command") == weights(tmp_path / "python")
    assert [step["step"] for step in steps] == [1, 2, 3, 4] and np.isfinite(steps[-1]["loss"])
    assert run.result["result"]["chosen"]["rule"]["keep"] == "last"
    assert run.metrics()[-1]["step"] == 4
    assert run.load().encode(["A dog runs."]).shape == (1, 256)
    # Sentences in memory are the same sentences.
    other = micse.train("demo", sentences, tmp_path / "memory", steps=4, keep="last")
    assert weights(other.folder) == weights(tmp_path / "python")


def test_a_finished_run_is_returned(tmp_path, sentences):
    first = micse.train(micse.SentenceEncoder("demo"), sentences, tmp_path / "run", steps=2)
    steps = []
    again = micse.train("demo", sentences, tmp_path / "run", steps=2, on_step=steps.append)
    assert again.result == first.result and not steps
    with pytest.raises(micse.Error, match="another run|different"):
        micse.train("demo", sentences, tmp_path / "run", steps=3)


def test_an_exception_in_a_callback_stops_with_a_checkpoint(tmp_path, sentences):
    class Enough(Exception):
        pass

    def stop(step):
        if step["step"] == 3:
            raise Enough

    with pytest.raises(Enough):
        micse.train("demo", sentences, tmp_path / "run", steps=60, keep="last", on_step=stop)
    assert (tmp_path / "run" / "checkpoint").is_dir()
    # That step is the last, and the next run delivers all others.
    steps = []
    micse.train("demo", sentences, tmp_path / "run", steps=60, keep="last", on_step=steps.append)
    assert [step["step"] for step in steps] == list(range(4, 61))
    micse.train("demo", sentences, tmp_path / "whole", steps=60, keep="last")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_callback_may_use_the_only_thread(tmp_path, sentences):
    program = f"""
import micse
micse.set_num_threads(1)
model, shapes = micse.SentenceEncoder("demo"), []
sentences = micse.demo_sentences()[:200]
encode = lambda step: shapes.append(model.encode(sentences).shape)
micse.train("demo", sentences, {str(tmp_path / "run")!r}, steps=3, keep="last", on_step=encode)
print(len(shapes))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "3", done.stderr


def test_a_checkpoint_that_fails_is_the_cause_of_the_exception(tmp_path):
    pytest.importorskip("resource")
    # The checkpoint is larger than a file may be.
    program = f"""
import resource, micse
class Enough(Exception):
    pass
def stop(step):
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        raise KeyError("first")
    except KeyError as error:
        if {{chained}}:
            raise Enough from error
    raise Enough
try:
    micse.train("demo", micse.demo_sentences()[:200], {str(tmp_path / "run")!r}, steps=3, keep="last", on_step=stop)
except Enough as error:
    cause = error.__cause__.__cause__ if {{chained}} else error.__cause__
    print(type(cause) is micse.Error and "state.safetensors" in str(cause), isinstance(error.__cause__, KeyError))
"""
    for chained in (False, True):
        text = program.replace("{chained}", str(chained))
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=300)
        assert done.stdout.split() == ["True", str(chained)], done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_stops_with_a_checkpoint(tmp_path, sentences):
    def interrupt(step):
        if step["step"] == 2:
            threading.Timer(0.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        micse.train("demo", sentences, tmp_path / "run", steps=400, keep="last", on_step=interrupt)
    assert (tmp_path / "run" / "checkpoint").is_dir()
    assert micse.SentenceEncoder("demo").encode(["a"]).shape == (1, 256)


def test_pairs_choose_the_weights(tmp_path, sentences):
    pairs = [(a, b, float(a.split()[1] == b.split()[1])) for a, b in zip(sentences, sentences[3:60])]
    run = micse.train("demo", sentences, tmp_path / "run", steps=2, pairs=pairs)
    assert run.result["dev_spearman_before"] is not None
    assert run.result["result"]["chosen"]["rule"]["keep"] == "pairs"


def test_settings_reach_the_recipe(tmp_path, sentences):
    run = micse.train(
        "demo", sentences, tmp_path / "run", recipe="simcse", with_terms="ami", steps=1, size="50%", seed=3,
        settings={"optimizer.lr": 1e-6}, purpose="similarity", name="my model", languages="en",
    )
    manifest = (run.folder / "run.toml").read_text(encoding="utf-8")
    assert "lr = 0.000001" in manifest and 'kind = "ami"' in manifest
    card = (run.model / "README.md").read_text(encoding="utf-8")
    assert "my model" in card and '- "en"\n' in card


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"recipe": "no-such"}, micse.Error, "no-such"),
        ({"settings": {"optimizer.speed": 1}}, micse.Error, "speed"),
        ({"keep": "first"}, ValueError, "'best' or 'last'"),
        ({"purpose": "glory"}, ValueError, "glory"),
        ({"purpose": "search", "pairs": [("a", "b", 1.0), ("c", "d", 2.0)]}, micse.Error, "pass one of the two"),
        ({"purpose": "search"}, micse.Error, "only 0 of 160 .* can be halved"),
        ({"pairs": [("a", "b", 1.0), ("c", "d", 1.0)]}, micse.Error, "different scores"),
        ({"size": "0"}, ValueError, "0"),
        ({"size": 10_000}, micse.Error, "10000|10,000"),
        ({"pairs": [("a", "b")]}, ValueError, "sentence, sentence, score"),
        ({"pairs": "none.tsv"}, micse.Error, "none.tsv"),
        ({"chunk": 0}, ValueError, "chunk"),
        ({"precision": "f16"}, ValueError, "f16"),
        ({"precision": "int8"}, ValueError, "precision is 'int8'"),
        ({"seed": 2**63}, ValueError, "seed is 9223372036854775808; it must be .* 0 to 9223372036854775807"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"steps": -1}, ValueError, "steps is -1"),
        ({"steps": "ten"}, ValueError, "steps is ten"),
        ({"checkpoint_steps": 0}, ValueError, "checkpoint_steps is 0"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, sentences, arguments, error, says):
    with pytest.raises(error, match=says):
        micse.train("demo", sentences, tmp_path / "run", **arguments)


def test_an_encoder_s_precision_is_that_of_the_run(tmp_path, sentences):
    encoder = micse.SentenceEncoder("demo", precision="bfloat16")
    for name, run in [
        ("encoder", micse.train(encoder, sentences[:100], tmp_path / "encoder", steps=1, keep="last")),
        ("bf16", micse.train("demo", sentences[:100], tmp_path / "bf16", steps=1, keep="last", precision="bfloat16")),
        ("f32", micse.train(encoder, sentences[:100], tmp_path / "f32", steps=1, keep="last", precision="float32")),
    ]:
        expected = "f32" if name == "f32" else "bf16"
        assert f'precision = "{expected}"' in (run.folder / "run.toml").read_text(encoding="utf-8"), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"pooling": "cls"}, "pooling is 'cls'.*settings"),
        ({"max_seq_length": 8}, "max_seq_length is 8.*max_length"),
        ({"truncate_dim": 16}, "truncate_dim is 16.*run.load"),
        ({"prompts": {"q": "find: "}, "default_prompt_name": "q"}, "default prompt is 'find: '.*default_prompt_name"),
    ],
)
def test_an_encoder_s_settings_that_a_run_does_not_have_are_refused(tmp_path, sentences, arguments, says):
    with pytest.raises(ValueError, match=says):
        micse.train(micse.SentenceEncoder("demo", **arguments), sentences, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_encoder_with_its_folder_s_settings_is_trained(tmp_path, sentences):
    encoder = micse.SentenceEncoder("demo", max_seq_length=128, truncate_dim=256, prompts={"q": "find: "})
    assert micse.train(encoder, sentences[:100], tmp_path / "run", steps=1, keep="last").folder == tmp_path / "run"


def test_wrong_text_is_named(tmp_path):
    for text, error, says in [
        ([], ValueError, "no sentences"),
        (["", " "], ValueError, "no sentences"),
        (["a", None], TypeError, "sentence 1 is None"),
        (tmp_path / "none.txt", micse.Error, "none.txt"),
        ("text.txt", TypeError, "not str"),
    ]:
        with pytest.raises(error, match=says):
            micse.train("demo", text, tmp_path / "run")


def test_judge_and_evaluate(model, sentences):
    verdict = micse.judge(model, "demo", sentences)
    assert set(verdict["effects"]) == {"similarity", "search", "grouping"}
    assert verdict["sentences"] == len(sentences)
    with pytest.raises(ValueError, match="20 distinct"):
        micse.judge(model, model, ["a"] * 50)
    program = Path(sys.executable).parent / "micse"
    done = subprocess.run(
        [str(program), "eval", "--model", "demo", "--sts", "demo", "--json"], check=True, capture_output=True, text=True
    )
    assert micse.evaluate("demo") == json.loads(done.stdout)
    short = micse.evaluate(micse.SentenceEncoder("demo", truncate_dim=4))
    assert short["truncate_dim"] == 4 and short["average"] != micse.evaluate("demo")["average"]
    scores = micse.evaluate(model, transfer=True)
    assert scores["transfer"]["average"] > 50
    with pytest.raises(micse.Error, match="none"):
        micse.evaluate(model, "none")
