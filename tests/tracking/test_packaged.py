import json

import numpy as np
import pytest

import mfx
from mfx.analysis.advice import Adviser, Request
from mfx.errors import TrackingError
from mfx.interfaces import Ratings
from mfx.tracking.packaged import example, package


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model of users and items whose ids are text, saved and packaged."""
    rng = np.random.default_rng(3)
    user, item = np.nonzero(rng.random((20, 12)) < 0.6)
    users = np.array([f"u{number:02d}" for number in range(20)])[user]
    items = np.array([f"item {number}" for number in range(12)])[item]
    ratings = Ratings.from_columns(users, items, rng.integers(1, 6, user.size).astype(float))
    folder = tmp_path_factory.mktemp("models") / "model"
    model = mfx.ALS(factors=2, epochs=2).fit(ratings)
    model.save(folder)
    package(folder)
    return folder, Adviser(model)


def loaded(folder):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


def test_a_packaged_model_answers_as_the_model_does(saved):
    folder, adviser = saved
    new = {"item_ids": ["item 1", "item 2"], "item_ratings": [5.0, 1.0], "bias_weight": 0.5, "k": 3}
    found = loaded(folder).predict([{"user_id": "u07", "k": 4}, new])
    assert found[0] == adviser.recommend(Request(user="u07", k=4)).as_json()
    pairs = [("id:item 1", 5.0), ("id:item 2", 1.0)]
    assert found[1] == adviser.recommend(Request(ratings=pairs, bias_weight=0.5, k=3)).as_json()


def test_it_has_a_signature_an_example_its_requirements_and_no_pickle(saved):
    folder, _ = saved
    model = loaded(folder)
    assert "user_id: string (optional)" in str(model.metadata.signature.inputs)
    assert "rank: long" in str(model.metadata.signature.outputs)
    assert json.loads((folder / "serving_input_example.json").read_text()) == {"inputs": [example(folder)]}
    assert example(folder) == {"user_id": "u00", "k": 5}
    assert [line.partition("==")[0] for line in (folder / "requirements.txt").read_text().split()] == ["mfx", "mlflow"]
    assert not list(folder.rglob("*.pkl"))
    assert "cloudpickle" not in (folder / "requirements.txt").read_text()


@pytest.mark.parametrize(
    "request_", [{"user_id": "nobody"}, {"usr": "u00"}, {"user_id": 7}, {}, {"item_ids": [], "item_ratings": []}]
)
def test_bad_requests_are_invalid_parameters(saved, request_):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as error:
        loaded(saved[0]).predict([request_])
    assert error.value.error_code == "INVALID_PARAMETER_VALUE"
    assert error.value.get_http_status_code() == 400


def test_it_can_be_saved_and_packaged_again(saved):
    folder, adviser = saved
    adviser.model.save(folder)
    package(folder)
    assert loaded(folder).predict([{"user_id": "u01"}]) == [adviser.recommend(Request(user="u01")).as_json()]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(TrackingError, match="holds no saved model"):
        package(tmp_path)
