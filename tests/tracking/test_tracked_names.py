import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfx.errors import TrackingError
from mfx.tracking.names import check_key, metric_key, metric_keys, shortened


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ndcg@10", "ndcg_at_10"),
        ("test/ndcg@10", "test/ndcg_at_10"),
        ("valid/rmse", "valid/rmse"),
        ("seconds/fit", "seconds/fit"),
        ("précision@5", "précision_at_5"),
    ],
)
def test_metric_key(name, key):
    assert metric_key(name) == key


@pytest.mark.parametrize("name", ["", "a//b", "/a", "a/", "../a", "a/./b", "ndcg%10", "a\nb", "x" * 251])
def test_bad_metric_names_are_refused_in_one_line(name):
    with pytest.raises(TrackingError) as caught:
        metric_key(name)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@given(st.text(alphabet="a1@_-. :/%é", max_size=8))
@settings(max_examples=500, deadline=None)
def test_names_are_accepted_exactly_where_mlflow_accepts_them(name):
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_metric_name

    try:
        _validate_metric_name(name.replace("@", "_at_"))
        accepted = True
    except MlflowException:
        accepted = False
    try:
        metric_key(name)
        ours = True
    except TrackingError:
        ours = False
    assert ours == accepted


def test_two_metrics_cannot_share_a_key():
    assert metric_keys(["ndcg@10", "rmse"]) == {"ndcg@10": "ndcg_at_10", "rmse": "rmse"}
    with pytest.raises(TrackingError, match="'ndcg@10' and 'ndcg_at_10'"):
        metric_keys(["ndcg@10", "ndcg_at_10"])


def test_a_parameter_key_is_named_in_the_error():
    check_key("dataset.columns.user_id", "parameter")
    with pytest.raises(TrackingError, match=r"name of parameter 'dataset\.columns\.a=b'"):
        check_key("dataset.columns.a=b", "parameter")


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=120)), st.integers(40, 100))
def test_shortened_values_fit_and_say_so(values, limit):
    kept, cut = shortened(values, limit)
    assert list(kept) == list(values)
    for key, value in kept.items():
        assert len(value) <= limit
        assert (key in cut) == (len(values[key]) > limit)
        assert (f"[cut: {len(values[key])} characters]" in value) if key in cut else value == values[key]
