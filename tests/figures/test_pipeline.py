import pytest

from mfx.errors import DataError
from mfx.figures.pipeline import Step, pipeline

STEPS = [Step("read", "demo", "ratings", 0.5, 120.0), Step("fit", "als", "on train, 9 epochs, best 7", 61.0, 2345.6)]


def texts(axes):
    return [text.get_text().replace("\n", " ") for text in axes.texts]


def test_boxes_in_order_with_arrows_between_and_bars_below():
    figure = pipeline(STEPS, title="t", caption="Some data, some split.")
    boxes, seconds, memory = figure.axes
    assert [text for text in texts(boxes) if text in ("read", "fit")] == ["read", "fit"]
    assert "on train, 9 epochs, best 7" in texts(boxes)
    assert len([text for text in boxes.texts if getattr(text, "arrow_patch", None)]) == len(STEPS) - 1
    assert [bar.get_height() for bar in seconds.patches] == [0.5, 61.0]
    assert texts(seconds) == ["0.5", "61"]
    assert texts(memory) == ["120", "2,346"]
    assert [label.get_text() for label in memory.get_xticklabels()] == ["read", "fit"]


def test_memory_that_was_not_measured_has_no_panel():
    figure = pipeline([STEPS[0], Step("save", "mlflow", "", 0.1, None)], title="t", caption="")
    assert len(figure.axes) == 2
    with pytest.raises(DataError, match="no stage"):
        pipeline([], title="t", caption="")
