"""The report in a real headless Chromium, as readers open it: from disk, on a desk and a phone."""

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from bench import report
from tests import synthetic

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (1280, 390)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="no chromium and chromedriver on this machine"
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    study = synthetic.study(seeds=12, sequential={"looks": [10, 12]})
    folder = synthetic.write(tmp_path_factory.mktemp("report"), study)
    report.write(folder)
    return f"file://{folder}/report.html"


@pytest.fixture(scope="module", params=["light", "dark"])
def browser(request):
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    features = [{"name": "prefers-color-scheme", "value": request.param}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.scheme = request.param
    yield driver
    driver.quit()


def opened(browser, page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_never_scrolls_sideways_and_logs_no_error(browser, page, width):
    opened(browser, page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_it_asks_for_nothing_but_itself(browser, page):
    browser.get_log("performance")  # what came before
    opened(browser, page, 1280)
    sent = [e["message"] for e in browser.get_log("performance")]
    asked = [m for m in sent if '"Network.requestWillBeSent"' in m]
    assert asked
    assert all("file://" in m or "data:" in m for m in asked)
    assert not any('"url":"http' in m for m in asked)


@pytest.mark.parametrize("width", WIDTHS)
def test_text_stands_out_from_what_is_behind_it(browser, page, width):
    """WCAG's contrast of body text, 4.5 or more, in both colour schemes."""
    opened(browser, page, width)
    luminance = """
        const of = c => c.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const style = getComputedStyle(document.body);
        return [of(style.color), of(style.backgroundColor)];
    """
    text, behind = browser.execute_script(luminance)
    assert (text > behind) == (browser.scheme == "dark")
    high, low = max(text, behind), min(text, behind)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_reader_switches_whom_conclusions_speak_about(browser, page):
    opened(browser, page, 1280)

    def shown():
        return browser.find_element(By.TAG_NAME, "body").text

    before = shown()
    assert "new seeds on this test set" in before
    other = next(
        label
        for label in browser.find_elements(By.TAG_NAME, "label")
        if "new test examples" in label.text
    )
    other.click()
    assert shown() != before


def test_on_paper_nothing_stays_folded_away_and_nothing_is_cut(browser, page):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    size = {"width": 718, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page)
    hidden = """
        return Array.from(document.querySelectorAll('details > *:not(summary)'))
            .filter(e => e.closest('[class^=for-]')?.checkVisibility() ?? true)
            .filter(e => !e.checkVisibility({contentVisibilityAuto: true})).length
    """
    assert browser.execute_script(hidden) > 0
    try:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert browser.execute_script(hidden) == 0
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 718
    finally:
        scheme = [{"name": "prefers-color-scheme", "value": browser.scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": scheme})
    opened_by_print = "return document.querySelectorAll('details:not([open])').length"
    folded = browser.execute_script(opened_by_print)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(opened_by_print) == 0
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(opened_by_print) == folded > 0


def test_a_phone_shows_the_verdict_without_scrolling(browser, page):
    opened(browser, page, 390)
    cells = browser.find_elements(By.CSS_SELECTOR, "#differences-table tbody tr td:nth-child(3)")
    texts = {cell.text for cell in cells}
    assert texts & {"undecided", "different and it matters"}
    assert all(cell.rect["x"] + cell.rect["width"] <= 390 for cell in cells)


@pytest.mark.parametrize("width", WIDTHS)
def test_all_but_the_answer_is_folded_and_a_row_leads_to_its_figure_and_numbers(
    browser, page, width
):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.split("#")[0])
    assert browser.execute_script("return document.querySelectorAll('details[open]').length") == 0
    for word, inside in (("figure", "#forest figure"), ("numbers", "#differences table")):
        assert not browser.find_element(By.CSS_SELECTOR, inside).is_displayed()
        for _ in range(2):  # also where the address is that already
            link = browser.find_element(By.CSS_SELECTOR, "#answer-table").find_element(
                By.LINK_TEXT, word
            )
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
            link.click()
            wait = WebDriverWait(browser, 5)
            wait.until(lambda b, at=inside: b.find_element(By.CSS_SELECTOR, at).is_displayed())
            part = inside.partition(" ")[0]
            browser.execute_script(
                f"document.querySelectorAll('{part} > * > details, {part} > details')"
                ".forEach(d => d.open = false)"
            )
