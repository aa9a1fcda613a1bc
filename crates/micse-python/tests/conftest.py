"""What several tests use."""

import pytest

import micse

NOUNS = ["doctor", "nurse", "farmer", "teacher", "pilot", "baker", "judge", "painter", "sailor", "clerk"]
VERBS = ["visits", "leaves", "paints", "cleans", "finds", "sells", "closes", "opens"]
PLACES = ["the old hospital", "a quiet garden", "the long bridge", "a small bakery", "the city hall", "a dark cellar"]


@pytest.fixture(scope="session")
def model():
    """The shipped encoder."""
    return micse.SentenceEncoder("demo")


@pytest.fixture(scope="session")
def sentences():
    """480 distinct sentences."""
    return [f"The {noun} {verb} {place}." for noun in NOUNS for verb in VERBS for place in PLACES]
