"""The page of a study as people meet it: in a browser without a network, on phone and desktop, in light and dark."""

import shutil

import numpy as np
import pandas as pd
import pytest

from neural_collapse.__main__ import main
from neural_collapse.config.names import PLAIN
from neural_collapse.metrics.runs import COLUMNS
from neural_collapse.storage import write_csv, write_json

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here, and no apt-get that could install it (make browser)"
    ),
]
SEEDS = 2
UNKNOWN = "a_measure_of_tomorrow"


def measured(network, loss, seed):
    """The rows of a run that collapses, a measure that no page knows among them."""
    random = np.random.default_rng([seed, len(network), len(loss)])
    rows = []
    for epoch in (1, 2, 5, 10, 20, 40):
        fall = random.uniform(0.8, 1.2) / epoch**2
        values = {
            ("train", "error"): 0.0 if epoch > 5 else 0.5 / epoch,
            ("test", "error"): 0.1 + 0.3 / epoch,
            **{(split, measure): fall for split in ("train", "test") for measure in ("nc1", "self_duality", "loss")},
            ("train", "max_angle_means"): fall / 3,
            ("train", "max_angle_classifier"): fall / 2,
            ("train", "ncc_mismatch"): 0.0,
            ("test", UNKNOWN): -fall,
        }
        if loss == "mse":
            values |= {("train", f"loss_{term}"): fall / 4 for term in ("nc1", "nc23", "perp")}
        run = ("wine", network, loss, PLAIN, seed)
        rows += [(*run, epoch, split, name, value) for (split, name), value in values.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page of a user's own tables: several seeds, an unknown measure, no theory, a figure and a moving portrait."""
    folder = tmp_path_factory.mktemp("site")
    tables = []
    for network, loss, seed in [("vgg11", "mse", 0), ("vgg11", "mse", 1), ("mlp<b>", "ce", 0), ("mlp<b>", "ce", 1)]:
        tables.append(folder / f"{network[:3]}-{loss}-{seed}.csv")
        write_csv(tables[-1], measured(network, loss, seed))
    figure = [folder / "figures/figure-07.pdf", folder / "figures/figure-07.png"]
    figure[0].parent.mkdir()
    run = ["figure", "--figure", "figure-07", "--tables", *map(str, tables)]
    assert main([*run, "--pdf", str(figure[0]), "--png", str(figure[1])]) == 0
    corner = [[0.0, 1.0], [0.9, -0.5], [-0.9, -0.5]]
    frame = {"examples": [corner, corner], "class_means": [corner, corner], "classifiers": [corner, corner]}
    write_json(folder / "wine-vgg11-mse-seed0.json", {"epochs": [1, 40], "labels": [0, 1, 2], **frame})
    page = folder / "report.html"
    command = ["report", *map(str, tables), "--figures", str(figure[1])]
    command += ["--portraits", str(folder / "wine-vgg11-mse-seed0.json")]
    assert main([*command, "--output", str(page)]) == 0
    assert page.stat().st_size < 8e6
    return page


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, site):
    """Open the page, wait until all is drawn; what the console said or the network was asked for fails a test."""
    said, asked, opened = [], [], []

    def visit(width=1440, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site.as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        return page

    yield visit
    for context in opened:
        context.close()
    assert said == []
    assert {address for address in asked if not address.startswith(("data:", "blob:"))} == {site.as_uri()}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_everything_is_drawn_and_accessible_on_a_phone_and_a_desktop_in_light_and_dark(visit, width, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
    for picture in page.locator("img").all():
        before = picture.bounding_box()
        picture.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete && image.naturalWidth > 100", arg=picture.element_handle())
        after = picture.bounding_box()
        assert (before["width"], before["height"]) == (after["width"], after["height"]), "the text below it jumped"
        assert picture.get_attribute("alt")
    charts = page.locator(".vega-embed svg")
    assert charts.count() >= 2 + page.locator("#overview > div").count()
    assert all(box["width"] > 100 and box["height"] > 80 for box in (chart.bounding_box() for chart in charts.all()))
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back[4:-1].split(","))) < 200) == (theme == "dark")
    faults = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in ("serious", "critical")]
    assert faults == []


def test_claims_are_filtered_by_words_scope_and_verdict(visit):
    page = visit()
    rows = page.locator("#claims-table tbody tr:visible")
    every = rows.count()
    page.fill("#claims-words", "variability-collapse ce")
    page.wait_for_function("document.getElementById('claims-count').textContent.startsWith('1 of')")
    assert rows.count() == 1 and "Within-class variability collapses" in rows.inner_text()
    page.fill("#claims-words", "")
    verdict = page.locator("#claims-table .verdict").first.inner_text().split()[-1]
    page.uncheck(f"#claims-filter input[value={verdict}]")
    assert rows.count() < every
    assert all(verdict not in row.get_attribute("data-verdict") for row in rows.all())


def test_curves_are_chosen_hidden_and_read(visit, site):
    page = visit()
    lines = page.locator("#chart .mark-line path")
    assert lines.count() == 2 * SEEDS
    page.locator("#runs input").first.uncheck()
    page.wait_for_function(f"document.querySelectorAll('#chart .mark-line path').length === {SEEDS}")
    point = page.locator("#chart .mark-symbol").last.locator("path").first
    point.hover(force=True)
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert "epoch" in tooltip.inner_text() and "value" in tooltip.inner_text()
    page.select_option("#measure", UNKNOWN)  # which is below zero, and so has no place on a logarithmic axis
    page.wait_for_function(f"document.getElementById('chart').dataset.drawn === '{UNKNOWN} test {6 * SEEDS}'")
    assert page.locator("#axis").input_value() == "linear"
    page.uncheck("#runs input:checked")
    page.get_by_text("Nothing to draw").wait_for()
    page.locator("#runs input").last.check()
    page.fill("#from", "10")
    page.locator("#from").blur()
    page.wait_for_function("document.getElementById('chart').dataset.drawn.endsWith(' 6')")
    with page.expect_download() as download:
        page.click("figcaption .numbers")
    numbers = pd.read_csv(download.value.path())
    assert set(numbers.measure) == {"nc1"} and len(numbers) == 2 * SEEDS * 6 * 2


def test_the_portrait_moves_and_a_run_has_a_page_of_its_own(visit):
    page = visit()
    assert page.locator("#epoch").inner_text() == "1"
    page.click("#play")
    page.wait_for_function("document.getElementById('epoch').textContent === '40'")
    page.click("#play")
    assert page.locator("#portrait-chart .mark-symbol path").count() == 9
    page.select_option("#one", index=2)
    page.wait_for_function("document.getElementById('one-about').textContent.includes('at epoch 10')")
    assert page.locator("#overview svg").count() > 5


def test_names_are_text_and_no_markup(visit):
    page = visit()
    assert page.locator("main b", has_text="mlp").count() == 0
    assert "mlp<b>" in page.locator("#last-epochs").inner_text()
