"""What surrounds the computation: forks, Ctrl-C, threads of the process, logging, memory."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import micse


def python(program, **environment):
    """Runs a program in another process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_encodes():
    # As gunicorn with a preloaded model, and PyTorch's DataLoader.
    program = """
import os, numpy as np, micse
model = micse.SentenceEncoder("demo")
rows = model.encode(["A dog runs."] * 300)
z = np.random.default_rng(48).normal(size=(6, 8))
maps = np.random.default_rng(48).random(size=(2, 1, 2, 4, 4)) + 0.1
losses = lambda: (micse.losses.info_nce(z, z[::-1].copy())[0], micse.losses.ami(maps, maps**2)[0])
values = losses()
child = os.fork()
if child == 0:
    again = model.encode(["A dog runs."] * 300)
    other = micse.SentenceEncoder("demo").encode(["A dog runs."] * 300)
    same = np.array_equal(rows, again) and np.array_equal(rows, other) and losses() == values
    os._exit(0 if same and micse.evaluate(model)["average"] > 40 else 1)
print(os.waitpid(child, 0)[1], np.array_equal(rows, model.encode(["A dog runs."] * 300)))
"""
    assert python(program) == "0 True"


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, "3"),
        ({"OMP_NUM_THREADS": "3,2"}, "3"),
        ({"OMP_NUM_THREADS": "3", "RAYON_NUM_THREADS": "2"}, "2"),
    ],
)
def test_threads_come_from_the_environment(variables, threads):
    none = {"OMP_NUM_THREADS": "", "RAYON_NUM_THREADS": ""}
    assert python("import micse; print(micse.num_threads())", **{**none, **variables}) == threads


def test_a_wrong_number_of_threads_is_named():
    program = """
import micse
try: micse.num_threads()
except ValueError as error: print(error)
"""
    assert "OMP_NUM_THREADS is \"many\"" in python(program, OMP_NUM_THREADS="many", RAYON_NUM_THREADS="")


def test_other_threads_run_while_rust_works(model, sentences):
    counted, ended = [0], threading.Event()

    def count():
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    model.encode(sentences * 4)
    seen = counted[0]
    ended.set()
    thread.join()
    assert seen > 3


def test_one_model_serves_several_threads(model, sentences):
    rows = model.encode(sentences)
    found = [None] * 4

    def work(i):
        found[i] = model.encode(sentences)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(np.array_equal(rows, other) for other in found)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_ends_an_encoding(model, sentences):
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.encode(sentences * 400)
    timer.join()
    # The interpreter and the model are still usable.
    assert model.encode(["A dog runs."]).shape == (1, 256)


def test_events_go_to_logging(tmp_path, model, sentences, caplog):
    caplog.set_level(logging.INFO, logger="micse")
    micse.train("demo", sentences[:100], tmp_path / "run", steps=1)
    texts = [record.getMessage() for record in caplog.records if record.name == "micse"]
    assert any("held out" in text for text in texts), texts
    assert any("settings for" in text for text in texts), texts


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not text")
def test_the_command_takes_any_file_name(tmp_path):
    text = os.path.join(os.fsencode(tmp_path), b"\xff.txt")
    with open(text, "wb") as file:
        file.write(b"A dog runs.\n")
    program = os.path.join(os.path.dirname(sys.executable), "micse")
    rows = os.fsencode(tmp_path / "rows.npy")
    command = [os.fsencode(program), b"encode", b"--model", b"demo", b"--input", text, b"--output", rows]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "rows.npy").shape == (1, 256)


def test_memory_is_that_of_the_rows():
    pytest.importorskip("resource")
    # The input, the result, and less than 100 MB beside them.
    program = """
import resource, micse
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
model = micse.SentenceEncoder("demo")
texts = [f"word {i}" for i in range(100_000)]
model.encode(texts[:2000])
before = peak()
rows = model.encode(texts)
print(peak() - before - rows.nbytes / 2**20)
"""
    assert float(python(program)) < 100
