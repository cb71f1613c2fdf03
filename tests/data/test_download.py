import hashlib
import http.server
import threading

import pytest
from data_samples import CSV_FILES, zip_bytes

from mfx.data import download
from mfx.data.download import download_path, fetch, split_checksum
from mfx.data.grouplens import GroupLens
from mfx.errors import DataError

CONTENT = zip_bytes(CSV_FILES)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        cut = self.path.startswith("/cut") and len(self.server.asked) == 1
        self.wfile.write(CONTENT[:50] if cut else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server, path="/ml-x.zip"):
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


@pytest.mark.parametrize("checksum", [SHA256, MD5, MD5.partition(":")[2], SHA256.upper().replace("SHA256", "sha256")])
def test_downloads_once_and_reads(checksum, server, cache):
    data = GroupLens(url=address(server), checksum=checksum)
    first = data.load()
    assert len(first) == 4
    assert data.describe()["source"] == address(server)
    assert fetch(address(server), checksum).read_bytes() == CONTENT
    assert GroupLens(url=address(server), checksum=checksum, cache=False).load().fingerprint == first.fingerprint
    assert server.asked == ["/ml-x.zip"]
    # The columns alone are enough for a pinned download.
    download_path(address(server), ":".join(split_checksum(checksum))).unlink()
    assert GroupLens(url=address(server), checksum=checksum).load().fingerprint == first.fingerprint
    assert server.asked == ["/ml-x.zip"]


def leftovers(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_download_that_was_changed_later_is_fetched_again(server, caplog):
    kept = fetch(address(server), SHA256)
    kept.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(address(server), SHA256).read_bytes() == CONTENT
    assert "no longer the file with the checksum" in caplog.text
    assert server.asked == ["/ml-x.zip"] * 2


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, cache):
    wrong = "sha256:" + "0" * 64
    with pytest.raises(DataError) as caught:
        GroupLens(url=address(server), checksum=wrong).load()
    assert f"does not have the checksum {wrong} but {SHA256.partition(':')[2]}" in caught.value.message
    assert "\n" not in str(caught.value)
    assert leftovers(cache) == []


def test_a_broken_download_leaves_nothing_and_starts_afresh(server, cache):
    with pytest.raises(DataError, match="broke off before its end"):
        fetch(address(server, "/cut.zip"), SHA256)
    assert leftovers(cache) == []
    assert fetch(address(server, "/cut.zip"), SHA256).read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_downloaded_unless_asked(server, caplog):
    with pytest.raises(DataError, match="No checksum is known") as caught:
        GroupLens(url=address(server)).load()
    assert "allow_unverified" in caught.value.hint
    assert server.asked == []
    assert len(GroupLens(url=address(server), allow_unverified=True).load()) == 4
    assert f"pin it with dataset.checksum={SHA256}" in caplog.text


def test_what_lets_one_in_is_not_told(server, caplog):
    caplog.set_level("INFO")
    assert len(GroupLens(url=f"{address(server)}?token=secret", allow_unverified=True).load()) == 4
    assert "?token=*** was downloaded unverified" in caplog.text
    assert "secret" not in caplog.text


def test_missing_on_the_server(server):
    with pytest.raises(DataError, match="answered 404"):
        fetch(address(server, "/missing.zip"), SHA256)


def test_unreachable_host(server):
    url = address(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"127\.0\.0\.1:\d+ cannot be reached") as caught:
        fetch(url, SHA256)
    assert "dataset.path" in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("checksum", ["", "md5:", "md5:xyz", "0" * 31, "sha256:" + "0" * 32, "crc:" + "0" * 32])
def test_malformed_checksums(checksum):
    with pytest.raises(DataError, match="is no checksum"):
        split_checksum(checksum)


def test_other_protocols_are_refused():
    with pytest.raises(DataError, match="no http or https address"):
        fetch("file:///etc/hostname", SHA256)


def test_an_unwritable_cache_folder(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MFX_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match="cannot be written") as caught:
        fetch(address(server), SHA256)
    assert "MFX_CACHE" in caught.value.hint


def test_progress_shows_on_a_terminal_only(server, monkeypatch, capsys):
    fetch(address(server), SHA256)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(download.sys.stderr, "isatty", lambda: True, raising=False)
    fetch(address(server, "/again.zip"), SHA256)
    assert "Downloading" in capsys.readouterr().err
