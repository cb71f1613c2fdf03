import pytest
from data_samples import CSV_FILES, zip_bytes


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MFX_CACHE", str(folder))
    return folder


@pytest.fixture
def csv_zip(tmp_path):
    path = tmp_path / "ml-x.zip"
    path.write_bytes(zip_bytes(CSV_FILES))
    return path
