"""The player against the server people use: its session, its policy, its ranges, its drawings of single pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.annotators.review.live import Server, recording, served
from tests.browser import chromium

READER = """
window.look = (view) => {   // the barcode of tests/annotators/review/live.py, most significant bit first
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [160, 120];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(view.visible, 0, 0, 160, 120);
  const level = (at) => context.getImageData(at * 11 + 10, 25, 2, 2).data[1];
  const bits = Array.from({ length: 13 }, (_, at) => level(at) > 128 ? 1 : 0);
  const parity = bits.pop();
  const number = bits.reduce((sum, bit) => 2 * sum + bit, 0);
  return bits.reduce((a, b) => a + b) % 2 === parity ? number : -1;
};
window.openPlayer = async (views, master) => {
  const { Player } = await import("/app/player.js");
  window.player = new Player({ views, master });
  for (const element of window.player.elements.values()) document.body.append(element);
  await window.player.load();
};
window.gotos = async (frames) => {
  const found = [];
  for (const k of frames) {
    await window.player.goto(k);
    found.push({ asked: k, verified: window.player.verified, shown: window.player.views.map(window.look),
                 how: window.player.views.map((view) => view.visible.tagName) });
  }
  return found;
};
"""
NO_CALLBACKS = "HTMLVideoElement.prototype.requestVideoFrameCallback = () => 0;"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("live")
    with served(folder, recording(folder, views=("main", "wrist"))) as running:
        yield running


@pytest.fixture(params=["", NO_CALLBACKS], ids=["honest browser", "browser without callbacks"])
def page(request: pytest.FixtureRequest, server: Server) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page()
        page.add_init_script(request.param + READER)
        page.goto(server.open_url)
        yield page


def test_every_view_shows_the_picture_asked_for(page: Page, server: Server) -> None:
    with server.client() as client:
        sheet = client.get("/api/episodes/ep-1").json()["sheet"]
    page.evaluate("([views, master]) => openPlayer(views, master)", [sheet["views"], sheet["master"]])
    picks = [0, 299, *np.random.default_rng(0).integers(0, 300, 10).tolist()]
    found = page.evaluate("(frames) => gotos(frames)", picks)
    assert [(one["shown"], one["verified"]) for one in found] == [([k, k], True) for k in picks]
    drawn = page.evaluate("HTMLVideoElement.prototype.requestVideoFrameCallback.length === 0")
    assert {how for one in found for how in one["how"]} == {"IMG" if drawn else "VIDEO"}


def test_files_go_out_in_ranges_and_for_good(server: Server) -> None:
    with server.client() as client:
        sha256 = client.get("/api/episodes/ep-1").json()["media_sha256"]
        part = client.get(f"/media/{sha256}.mp4", headers={"Range": "bytes=100-199"})
        assert (part.status_code, len(part.content)) == (206, 100)
        assert part.headers["etag"] == f'"{sha256}"'
        assert "immutable" in part.headers["cache-control"]
        edges = np.frombuffer(client.get(f"/media/{sha256}.times").content, "<i8")
        assert len(edges) == 301
        assert client.get(f"/media/{sha256}/frames/300.jpg?h=100").status_code == 404
        assert client.get(f"/media/{'0' * 64}.times").status_code == 404
