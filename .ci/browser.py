"""Opens every page of the built book as a reader would: python browser.py BOOK_FOLDER CHROMIUM [SCREENSHOT_FOLDER]

Fails on a console error, a request that fails or leaves this machine, a page wider than a phone (390 px), code that scrolls
sideways at 1,200 px or is cut off anywhere, a formula that was not rendered, a figure without a text alternative, text in a figure
that a phone shows smaller than 10 px, a prediction without its answer, and a page with cells but no outputs. Light, dark and print.
"""

import functools
import http.server
import re
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

# Runs in the page; answers with what is wrong.
INSPECT = r"""
() => {
  const wrong = [];
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) wrong.push(`scrolls sideways by ${wide} px at ${window.innerWidth} px`);
  const main = document.querySelector('main');
  for (const code of main.querySelectorAll('pre, pre > code')) {
    const hidden = code.scrollWidth - code.clientWidth;
    if (hidden <= 1) continue;
    const longest = code.textContent.split('\n').reduce((a, b) => b.length > a.length ? b : a).trim();
    if (window.innerWidth >= 1200) wrong.push(`code scrolls sideways by ${hidden} px: ${longest}`);
    else if (!['auto', 'scroll'].includes(getComputedStyle(code).overflowX)
             && ![...code.children].some(child => child.scrollWidth > child.clientWidth + 1))
      wrong.push(`code is cut off by ${hidden} px: ${longest}`);
  }
  for (const svg of main.querySelectorAll('svg[role="img"]')) {
    const alt = svg.querySelector('title')?.textContent.trim();
    if (!alt) wrong.push('a figure has no text alternative');
    for (const text of svg.querySelectorAll('text')) {
      const shown = parseFloat(getComputedStyle(text).fontSize) * (text.getScreenCTM()?.a ?? 1);
      if (shown > 0 && shown < 9.95 && text.textContent.trim()) {
        wrong.push(`text of ${shown.toFixed(1)} px, "${text.textContent.trim()}", in the figure: ${alt}`);
        break;
      }
    }
  }
  for (const img of main.querySelectorAll('img')) {
    if (!img.alt.trim()) wrong.push(`no text alternative: ${img.src}`);
    if (!img.complete || img.naturalWidth === 0) wrong.push(`not loaded: ${img.src}`);
  }
  for (const math of main.querySelectorAll('math'))
    if (math.closest('details:not([open])') === null && math.getBoundingClientRect().width === 0) wrong.push('an empty formula');
  for (const asked of main.querySelectorAll('.predict'))
    if (!asked.querySelector('.happened')) wrong.push(`a prediction without its answer: ${asked.textContent.trim().slice(0, 80)}`);
  const prose = main.cloneNode(true);
  prose.querySelectorAll('pre, code, svg, math').forEach(node => node.remove());
  const raw = prose.textContent.match(/\$[^$\n]{1,40}\$|\\(frac|sqrt|text|operatorname)\b|\{\{#/);
  if (raw) wrong.push(`not rendered: ${raw[0]}`);
  if (main.querySelector('.stale')) wrong.push('its outputs are older than its code');
  return wrong;
}
"""


def serve(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main(book, chromium, shots=None):
    pages = sorted(p.name for p in Path(book).glob("*.html") if p.name not in ("404.html", "print.html", "toc.html"))
    sources = Path(__file__).parent.parent / "book"
    with_cells = {p.stem for p in sources.glob("*.md") if re.search(r"^```rust,cell", p.read_text(encoding="utf-8"), re.M)}
    base, problems, opened = serve(book), [], 0
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(profile, executable_path=chromium, args=FLAGS, headless=True)
        tab = context.new_page()
        here = None
        tab.on("console", lambda m: problems.append(f"{here}: console: {m.text}") if m.type == "error" else None)
        tab.on("pageerror", lambda e: problems.append(f"{here}: script: {e}"))
        # A page that is left before its icon has come aborts the request; what is missing answers with 404.
        tab.on("requestfailed", lambda r: None if "ERR_ABORTED" in (r.failure or "") else problems.append(f"{here}: request failed: {r.url}: {r.failure}"))
        tab.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else problems.append(f"{here}: leaves this machine: {r.url}"))
        tab.on("response", lambda r: problems.append(f"{here}: {r.status}: {r.url}") if r.status >= 400 else None)
        for theme in ("light", "navy"):
            context.add_init_script(f"localStorage.setItem('mdbook-theme', '{theme}')")
            for size, viewport in (("phone", PHONE), ("desk", DESK)):
                tab.set_viewport_size(viewport)
                for page in pages:
                    here = f"{page} ({theme}, {size})"
                    tab.goto(f"{base}/{page}", wait_until="load")
                    opened += 1
                    problems += [f"{here}: {wrong}" for wrong in tab.evaluate(INSPECT)]
                    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                    problems += [f"{here}, all opened: {wrong}" for wrong in tab.evaluate(INSPECT)]
                    if Path(page).stem in with_cells and tab.locator("main .cell-output").count() == 0:
                        problems.append(f"{here}: no outputs")
                    if shots:
                        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = false)")
                        tab.screenshot(path=f"{shots}/{Path(page).stem}-{theme}-{size}.png", full_page=True)
        here = "print.html (print)"
        tab.emulate_media(media="print")
        tab.goto(f"{base}/print.html", wait_until="load")
        opened += 1
        context.close()
    for problem in dict.fromkeys(problems):
        print(problem)
    print(f"{len(pages)} pages, opened {opened} times: {len(set(problems))} problems")
    return 1 if problems or not pages else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
