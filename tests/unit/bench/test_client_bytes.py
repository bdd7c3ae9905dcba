"""The race of the string codecs: both are right, and one that is not ends it."""

import dataclasses

import pytest

from bench import client_bytes


def test_both_sides_of_every_race_agree() -> None:
    for race in client_bytes.races(count=50, length_max=9):
        outcome = client_bytes.run(race, rounds=1)
        assert min(outcome.ours_us, outcome.theirs_us) > 0


def test_a_wrong_answer_ends_the_race() -> None:
    for race in client_bytes.races(count=5, length_max=9):
        wrong = dataclasses.replace(race, ours=client_bytes.races(count=6, length_max=9)[0].ours)
        with pytest.raises((ValueError, AttributeError), match=r"do not agree|tolist"):
            client_bytes.run(wrong, rounds=1)
