"""Opens every page of the built book as a reader would: python browser.py BOOK_FOLDER CHROMIUM [SCREENSHOT_FOLDER]

Fails on a console error, a request that fails or leaves this machine, a page wider than a phone (390 px), code that scrolls
sideways at 1,200 px or is cut off anywhere, a stub of which a line wraps there, a table that can't be read at 390 px, a formula
that was not rendered, a figure without a text alternative, text in a figure that a phone shows smaller than 10 px, a prediction
without its answer, a page with cells but no outputs, an answer that is printed under its question, and a stop of the Tab key that does
not show. In every theme, on text that stands out too little; and on what else axe-core calls serious or critical.
"""

import functools
import http.server
import re
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

import axe

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
PAPER_SIZE = {"width": 718, "height": 1047}  # A4 at 96 dots an inch, without margins of 1 cm
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
THEMES = ("light", "rust", "coal", "navy", "ayu")

PAGE = Path(__file__).parent / "page"
LAYOUT, FIGURES, PAPER = ((PAGE / f"{name}.js").read_text(encoding="utf-8") for name in ("layout", "figures", "paper"))
OPEN_ALL = "document.querySelectorAll('details').forEach(folded => folded.open = true)"
CLOSE_ALL = OPEN_ALL.replace("true", "false")
# What resizing sets off is done before two frames are over; what moves has no time to.
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"


def serve(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Reader:
    """A tab of a browser, and what was found wrong in it."""

    def __init__(self, tab, base):
        self.tab, self.base, self.here, self.problems, self.opened = tab, base, None, [], 0
        tab.on("console", lambda m: self.found(f"console: {m.text}") if m.type == "error" else None)
        tab.on("pageerror", lambda e: self.found(f"script: {e}"))
        # A page that is left before its icon has come aborts the request; what is missing answers with 404.
        tab.on("requestfailed", lambda r: None if "ERR_ABORTED" in (r.failure or "") else self.found(f"request failed: {r.url}: {r.failure}"))
        tab.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else self.found(f"leaves this machine: {r.url}"))
        tab.on("response", lambda r: self.found(f"{r.status}: {r.url}") if r.status >= 400 else None)

    def found(self, *wrong):
        self.problems += [f"{self.here}: {one}" for one in wrong]

    def open(self, page, how):
        self.here = f"{page} ({how})"
        self.tab.goto(f"{self.base}/{page}", wait_until="load")
        self.opened += 1

    def ask(self, script, *argument):
        self.tab.evaluate(SETTLED)
        self.found(*self.tab.evaluate(script, *argument))

    def theme(self, name):
        """Chooses a theme as the menu does; the next page opens in it, too."""
        self.here = re.sub(r"\((?:(\w+), )?(\w+)\)$", rf"({name}, \2)", self.here)
        self.tab.evaluate("name => document.getElementById(`mdbook-theme-${name}`).click()", name)

    def contrast(self):
        self.ask(axe.JUDGE, ["color-contrast", "link-in-text-block"])
        self.ask(FIGURES)


def read(reader, page, size, with_cells, judge, shots):
    """One page at one size: folded, unfolded, and at a desk in every theme."""
    tab = reader.tab
    reader.open(page, size)
    reader.ask(LAYOUT)
    tab.evaluate(OPEN_ALL)
    reader.ask(LAYOUT)
    if with_cells and tab.locator("main .cell-output").count() == 0:
        reader.found("no outputs")
    tab.evaluate(judge)
    reader.ask(axe.JUDGE)
    for theme in THEMES:
        if size == "desk":
            reader.theme(theme)
            reader.contrast()
        if shots and theme in ("light", "navy"):
            reader.theme(theme)
            tab.evaluate(CLOSE_ALL)
            tab.screenshot(path=f"{shots}/{Path(page).stem}-{theme}-{size}.png", full_page=True)
            tab.evaluate(OPEN_ALL)


def menus(reader, page, judge):
    """What opens over a page: the search with its results, the themes, the keys."""
    tab = reader.tab
    reader.open(page, "menus")
    tab.keyboard.press("s")
    tab.locator("#mdbook-searchbar").press_sequentially("softmax")
    tab.locator("#mdbook-searchresults li").first.wait_for()
    tab.evaluate(judge)
    for theme in THEMES:
        reader.theme(theme)
        tab.evaluate("document.getElementById('mdbook-theme-list').style.display = 'block'")
        reader.contrast()
    tab.evaluate("document.getElementById('mdbook-theme-list').style.display = 'none'")
    tab.evaluate("document.getElementById('mdbook-help-container').style.display = 'flex'")
    for theme in THEMES:
        reader.theme(theme)
        reader.contrast()


def keyboard(reader, page):
    """Where the Tab key leads is seen, and the table of contents opens and closes without a mouse."""
    tab = reader.tab
    reader.open(page, "keyboard")
    for _ in range(30):
        tab.keyboard.press("Tab")
        seen = tab.evaluate("""() => {
          const at = document.activeElement, { outlineStyle, outlineWidth } = getComputedStyle(at);
          return outlineStyle !== 'none' && parseFloat(outlineWidth) > 0 ? null : at.outerHTML.slice(0, 120);
        }""")
        if seen:
            reader.found(f"has the keyboard's focus, and nothing shows it: {seen}")
    toggle = tab.locator("#mdbook-sidebar-toggle")
    before = toggle.get_attribute("aria-expanded")
    toggle.focus()
    tab.keyboard.press("Enter")
    if toggle.get_attribute("aria-expanded") == before:
        reader.found("Enter does not open or close the table of contents")


def main(book, chromium, shots=None):
    pages = sorted(p.name for p in Path(book).glob("*.html") if p.name not in ("404.html", "print.html", "toc.html"))
    sources = Path(__file__).parent.parent / "book"
    with_cells = {p.stem for p in sources.glob("*.md") if re.search(r"^```rust,cell", p.read_text(encoding="utf-8"), re.M)}
    judge = axe.script()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS, headless=True, reduced_motion="reduce"
        )
        reader = Reader(context.new_page(), serve(book))
        for size, viewport in (("phone", PHONE), ("desk", DESK)):
            reader.tab.set_viewport_size(viewport)
            for page in pages:
                read(reader, page, size, Path(page).stem in with_cells, judge, shots)
        menus(reader, "02-scaling.html", judge)
        keyboard(reader, "02-scaling.html")
        reader.tab.emulate_media(media="print")
        reader.tab.set_viewport_size(PAPER_SIZE)
        for theme in ("light", "ayu"):
            reader.open("02-scaling.html", "paper")
            reader.theme(theme)
            reader.ask(PAPER)
            reader.tab.evaluate(judge)
            reader.contrast()
        reader.open("print.html", "paper")
        reader.ask(PAPER)
        context.close()
    for problem in dict.fromkeys(reader.problems):
        print(problem)
    print(f"{len(pages)} pages, opened {reader.opened} times: {len(set(reader.problems))} problems")
    return 1 if reader.problems or not pages else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
