"""Search against NumPy; losses against their formulas and finite differences."""

import numpy as np
import pytest

import micse


def test_search_finds_what_numpy_finds(model, sentences):
    rows = model.encode(sentences)
    queries = model.encode(["The baker closes the city hall.", "A pilot"])
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = unit(queries) @ unit(rows).T
    for hits, row in zip(micse.search(model, rows, queries, top=3), cosines):
        assert [hit["corpus_id"] for hit in hits] == list(np.argsort(-row, kind="stable")[:3])
        assert np.allclose([hit["score"] for hit in hits], np.sort(row)[::-1][:3], atol=1e-5)
    texts = micse.search(model, sentences, "The baker closes the city hall.", top=1)
    assert texts[0][0]["text"] == "The baker closes the city hall." and texts[0][0]["score"] > 0.999
    assert len(micse.search(model, sentences[:3], ["a"], top=10)[0]) == 3


def test_search_refuses_other_shapes(model):
    for corpus, queries, says in [
        (np.zeros((2, 3)), np.zeros((1, 4)), "entries"),
        (np.zeros(3), np.zeros((1, 3)), "shape"),
        (np.full((2, 3), np.nan), np.zeros((1, 3)), "NaN"),
    ]:
        with pytest.raises((ValueError, micse.Error), match=says):
            micse.search(model, corpus, queries)
    with pytest.raises(ValueError, match="at least 1"):
        micse.search(model, ["a"], ["b"], top=0)


def differences(value, x, places, step=1e-6):
    """Central differences of a function at some entries."""
    out = []
    for place in places:
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        out.append((value(up) - value(down)) / (2 * step))
    return np.array(out)


def test_info_nce_is_its_formula_and_its_gradient_is_the_slope():
    draws = np.random.default_rng(48)
    z1, z2, queue = draws.normal(size=(5, 8)), draws.normal(size=(5, 8)), draws.normal(size=(7, 8))
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
    scores = np.concatenate([unit(z1) @ unit(z2).T, unit(z1) @ unit(queue).T], axis=1) / 0.1
    expected = np.mean(np.log(np.exp(scores).sum(1)) - np.diag(scores))
    value, (g1, g2) = micse.losses.info_nce(z1, z2, 0.1, queue)
    assert np.isclose(value, expected, rtol=1e-12)
    places = [(0, 0), (3, 5), (4, 7)]
    slope = differences(lambda x: micse.losses.info_nce(x, z2, 0.1, queue)[0], z1, places)
    assert np.allclose([g1[place] for place in places], slope, rtol=1e-5, atol=1e-8)
    slope = differences(lambda x: micse.losses.info_nce(z1, x, 0.1, queue)[0], z2, places)
    assert np.allclose([g2[place] for place in places], slope, rtol=1e-5, atol=1e-8)


def test_ami_of_all_positions_is_its_formula_and_its_gradient_is_the_slope():
    draws = np.random.default_rng(48)
    shape = (2, 1, 2, 4, 4)
    m1, m2 = (np.exp(draws.normal(size=shape)) for _ in range(2))
    m1, m2 = (m / m.sum(-1, keepdims=True) for m in (m1, m2))
    # 32 positions in a slice of two heads: all are drawn.
    value, (g1, _) = micse.losses.ami(m1, m2, samples=32)
    rho = [np.corrcoef(np.log(a).ravel(), np.log(b).ravel())[0, 1] for a, b in zip(m1[:, 0], m2[:, 0])]
    assert np.isclose(value, np.mean([0.5 * np.log(1 - r**2) for r in rho]), rtol=1e-10)
    places = [(0, 0, 0, 0, 0), (1, 0, 1, 3, 2)]
    slope = differences(lambda x: micse.losses.ami(x, m2, samples=32)[0], m1, places)
    assert np.allclose([g1[place] for place in places], slope, rtol=1e-5, atol=1e-8)


def test_losses_keep_the_type_and_refuse_others():
    z = np.ones((2, 3), dtype=np.float32)
    assert micse.losses.info_nce(z, z)[1][0].dtype == np.float32
    for wrong in ([[1.0]], np.ones((2, 3), dtype=np.int64), None):
        with pytest.raises(TypeError, match="z1 must be a NumPy array"):
            micse.losses.info_nce(wrong, z)
    with pytest.raises(micse.Error):
        micse.losses.info_nce(z, np.ones((3, 3), dtype=np.float32))
    with pytest.raises(micse.Error, match="z2: expected F32 like the other tensor, found F64"):
        micse.losses.info_nce(z, z.astype(np.float64))
    with pytest.raises(micse.Error, match="queue: expected F32"):
        micse.losses.info_nce(z, z, queue=z.astype(np.float64))
    with pytest.raises(ValueError, match="maps1"):
        micse.losses.ami(z, z)
    maps = np.ones((1, 1, 2, 3, 3), dtype=np.float32)
    with pytest.raises(micse.Error, match="view 2: expected F32"):
        micse.losses.ami(maps, maps.astype(np.float64))


def test_ami_of_more_samples_than_positions_is_that_of_all_positions():
    maps = np.random.default_rng(48).random((1, 1, 2, 5, 5)) + 0.1
    value, _ = micse.losses.ami(maps, maps**2, samples=10**9)
    assert np.isclose(value, micse.losses.ami(maps, maps**2, samples=50)[0], rtol=1e-10)
