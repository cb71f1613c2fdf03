"""Pages in a real browser: nothing fetched from elsewhere, no complaint in its console, every picture decoded."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mfx
from mfx.analysis import report
from mfx.analysis.explore import study
from mfx.analysis.runs import find

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent.parent
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    program = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


def requested(browser):
    """Addresses that pages asked for since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    urls = (one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent")
    return [url for url in urls if not url.startswith(("data:", "blob:", "chrome:"))]


def complaints(browser):
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def open_page(browser, path):
    browser.get("about:blank")
    requested(browser), complaints(browser)
    browser.get(path.as_uri())
    assert requested(browser) == [path.as_uri()]
    assert complaints(browser) == []
    pictures = browser.execute_async_script(
        "const done = arguments[0], all = [...document.images];"
        "Promise.allSettled(all.map(one => one.decode())).then(ends => done(ends.map((end, at) =>"
        " [all[at].alt, end.status, all[at].naturalWidth])))"
    )
    assert [one for one in pictures if one[1] != "fulfilled" or one[2] < 100] == []
    return pictures


def too_wide(browser):
    return browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def see_page(browser, path, least):
    assert len(open_page(browser, path)) >= least
    assert too_wide(browser) == 0
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        open_page(browser, path)
        assert too_wide(browser) == 0
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_of_a_data_set(browser, in_demo):
    explored = study.run("tracking=console")
    see_page(browser, explored.page, 13)


def test_the_report_of_two_runs(browser, in_demo):
    page = report.make([find("demo_als"), find("demo_genre")], None, "mfx report demo_als demo_genre")
    see_page(browser, page, 3)
    assert "demo_genre" in browser.find_element("tag name", "body").text


def test_a_page_that_fetches_is_noticed(browser, tmp_path):
    """The checks above can fail."""
    path = tmp_path / "fetching.html"
    path.write_text('<html><body><img alt="none" src="http://127.0.0.1:9/x.png"></body></html>')
    with pytest.raises(AssertionError):
        open_page(browser, path)


@contextlib.contextmanager
def pages_of_mlflow(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mfx", "ui", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = process.stdout.readline() + process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found, said + process.stdout.read()
        yield found.group()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def until_shown(browser, *texts, seconds=60):
    from selenium.webdriver.support.ui import WebDriverWait

    def shown(driver):
        body = driver.execute_script("return document.body ? document.body.innerText : ''")
        return body if all(text in body for text in texts) else None

    return WebDriverWait(browser, seconds).until(shown, f"{texts} are not shown")


def scrolled_through(browser):
    """All text of a page whose long tables show some rows at a time."""
    scroll = (
        "[...document.querySelectorAll('*')].filter(one => one.scrollHeight > one.clientHeight + 50)"
        ".forEach(one => one.scrollTop = arguments[0])"
    )
    found = []
    for top in range(0, 4000, 150):
        browser.execute_script(scroll, top)
        time.sleep(0.1)
        found.append(browser.execute_script("return document.body.innerText"))
    return "\n".join(found)


@pytest.mark.timeout(280)
def test_the_pages_of_mlflow_list_runs_show_figures_and_compare(browser, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    made = [mfx.run(f"model={model}", "model.epochs=3", "metrics=[rmse]") for model in ("bias", "als")]
    ids = [one.run_id for one in made]
    with pages_of_mlflow(tmp_path) as address:
        requested(browser)
        browser.get(f"{address}/#/experiments?workflowType=machine_learning")
        until_shown(browser, "mfx")
        browser.get(f"{address}/#/experiments/1/runs")
        until_shown(browser, "bias_temporal", "als_temporal")
        browser.get(f"{address}/#/experiments/1/runs/{ids[1]}")
        until_shown(browser, "als_temporal", "Best epoch on valid")
        browser.get(f"{address}/#/experiments/1/runs/{ids[1]}/artifacts/figures/learning_curve.png")
        until_shown(browser, "learning_curve.png")
        shown = "return [...document.images].some(one => one.complete && one.naturalWidth > 500)"
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(shown), "the figure is not shown")
        browser.get(f'{address}/#/compare-runs?runs={json.dumps(ids, separators=(",", ":"))}&experiments=["1"]')
        until_shown(browser, "bias_temporal", "als_temporal", "model.name", "audit/ratings_test")
        text = scrolled_through(browser)
        for one in made:
            assert f"{one.metrics['test/rmse']:.3f}" in text
        assert [one for one in requested(browser) if not one.startswith(f"{address}/")] == []
