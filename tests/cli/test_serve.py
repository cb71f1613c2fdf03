import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mfx.analysis.advice import Adviser, Request
from mfx.analysis.runs import find
from mfx.cli import serve
from mfx.cli.main import main

REPOSITORY = Path(__file__).parent.parent.parent
SEEDS = "The Matrix=5; Terminator 2=5; Blade Runner=5"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["serve"], 2, "needs run="),
        (["serve", "run=last", "prot=80"], 2, "Did you mean 'port'?"),
        (["serve", "run=last", "--json"], 2, "does not know '--json'"),
        (["serve", "run=last", "port=web"], 2, "not a whole number"),
        (["serve", "run=last", "port=0"], 1, "port=0 is no port"),
        (["serve", "run=nothing"], 1, "There is no run 'nothing'"),
    ],
)
def test_mistakes_cost_one_line(in_demo, capsys, arguments, status, part):
    assert main(arguments) == status
    told = capsys.readouterr().err
    assert part in told
    assert told.count("\n") == 1


def test_a_port_that_is_taken_is_named(in_demo, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["serve", "run=last", f"port={port}"]) == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in capsys.readouterr().err


def test_the_server_is_mlflows_own_and_for_this_machine_alone():
    line = serve.command(Path("model"), serve.OPTIONS["host"].default, 5001)
    assert line[1:] == [
        *("-m", "mlflow", "models", "serve", "-m", "model", "--env-manager", "local"),
        *("--host", "127.0.0.1", "--port", "5001", "--workers", "1"),
    ]
    assert serve.environment()["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


@contextlib.contextmanager
def serving(folder, port):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    line = [sys.executable, "-m", "mfx", "serve", "run=demo_genre", f"port={port}"]
    process = subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    try:
        for text in process.stdout:
            said.append(text)
            if "curl" in text:
                break
        else:
            pytest.fail("".join(said))
        yield "".join(said)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def post(port, body, kind="application/json"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", data, {"Content-Type": kind})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text) if text.startswith("{") else {"message": text}


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_real_server_answers_as_recommend_does(in_demo):
    adviser, port = Adviser(find("demo_genre").model), free_port()
    with serving(in_demo, port) as said:
        assert f"http://127.0.0.1:{port}/invocations (this machine only)" in said
        assert re.search(r"curl .*\"user_id\": 1", said)
        began = time.perf_counter()
        for number in range(50):
            user = 1 + 13 * number
            known, new = {"user_id": user, "k": 4}, {"ratings": SEEDS, "bias_weight": 0.02 * number, "k": 3}
            expected = [adviser.recommend(Request(user=user, k=4)).as_json()]
            assert post(port, {"inputs": [known]}) == (200, {"predictions": expected})
            expected = [adviser.recommend(Request(ratings=SEEDS, bias_weight=0.02 * number, k=3)).as_json()]
            assert post(port, {"inputs": [new]}) == (200, {"predictions": expected})
        print(f"100 requests in {time.perf_counter() - began:.2f} s")
        by_id = {"item_ids": [2571, 589], "item_ratings": [5.0, 4.5], "min_ratings": 30, "genre": "Sci-Fi"}
        both = post(port, {"inputs": [by_id, {"user_id": 2}]})[1]["predictions"]
        asked = Request(ratings=[("id:2571", 5.0), ("id:589", 4.5)], min_ratings=30, genre="Sci-Fi")
        assert both == [adviser.recommend(asked).as_json(), adviser.recommend(Request(user=2)).as_json()]
        for bad, part in [
            ({"inputs": [{"user_id": 99999}]}, "There is no user '99999'"),
            ({"inputs": [{"usr_id": 1}]}, "usr_id"),
            ({"inputs": [{"user_id": 1, "k": 0}]}, "k=0 must be at least 1"),
            ({"inputs": [{"user_id": 1, "k": "many"}]}, "valid integer"),
            ({"inputs": [{}]}, "neither user nor ratings"),
            ({"inputs": [{"ratings": "Hamlet=5"}]}, "Hamlet (1996) [id 1411]"),
            ({"inputs": [{"item_ids": [2571]}]}, "belong together"),
            ({"inputs": [{"item_ids": [2571, 1], "item_ratings": [5]}]}, "2 item_ids and 1 item_ratings"),
            ({"user_id": 1}, "inputs"),
            (b"no json", "JSON"),
        ]:
            status, told = post(port, bad)
            assert 400 <= status < 500, (bad, told)
            assert part in told["message"], (bad, told)
        assert post(port, {"inputs": [{"user_id": 1}]}, "text/plain")[0] == 415
        assert post(port, {"inputs": [{"user_id": 1, "k": 4}]})[0] == 200
    with pytest.raises(urllib.error.URLError):
        post(port, {"inputs": [{"user_id": 1}]})
