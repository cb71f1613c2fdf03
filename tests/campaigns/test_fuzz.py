"""A small share of what `fuzz.py` tries, with each run of the tests."""

import fuzz
import pytest
from surfaces_all import SURFACES

INPUTS = {"overrides": 10, "config": 40, "zip": 40, "times": 40}


@pytest.mark.parametrize("surface", SURFACES, ids=lambda one: one.name)
def test_bad_input_ends_in_one_line_or_in_a_right_result(surface):
    wanted = INPUTS.get(surface.name, 100)
    ends = fuzz.run(surface, wanted)
    assert set(ends) <= {"refused", "right", "unwritten"}
    assert sum(ends.values()) >= wanted
    assert ends["refused"] > 0
