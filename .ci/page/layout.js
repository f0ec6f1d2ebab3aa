// Runs in a page; answers with what is wrong with its layout.
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
  // A line of a stub is as long as the column at most: a word too much would stand on a line of its own.
  if (window.innerWidth >= 1200)
    for (const code of main.querySelectorAll('.exercise pre code')) {
      const height = code.clientHeight;
      code.style.cssText = 'white-space: pre; overflow: hidden';
      const lines = Math.round((height - code.clientHeight) / parseFloat(getComputedStyle(code).lineHeight));
      const longest = code.textContent.split('\n').reduce((a, b) => b.length > a.length ? b : a).trim();
      if (height > code.clientHeight) wrong.push(`${lines} lines of code wrap; the longest: ${longest}`);
      code.style.cssText = '';
    }
  // Where it is wider than a phone, the rest of it is more than a word.
  for (const comment of main.querySelectorAll('.exercise pre code .hljs-comment')) {
    const text = document.createRange();
    text.selectNodeContents(comment);
    const lines = new Map();
    for (const { top, width } of text.getClientRects()) lines.set(Math.round(top), (lines.get(Math.round(top)) ?? 0) + width);
    const widths = [...lines.values()];
    if (widths.length > 1 && widths.at(-1) < 0.25 * Math.max(...widths)) wrong.push(`a word of a comment stands alone: ${comment.textContent}`);
  }
  for (const table of main.querySelectorAll('table')) {
    const box = table.closest('.table-wrapper');
    const name = table.textContent.trim().replace(/\s+/g, ' ').slice(0, 60);
    if (!box) { wrong.push(`a table without a box to scroll in: ${name}`); continue; }
    if (table.getBoundingClientRect().width === 0) continue;
    const { left, right } = box.getBoundingClientRect();
    if (left < 0 || right > window.innerWidth + 0.5) wrong.push(`a table's box is cut off: ${name}`);
    const hidden = table.getBoundingClientRect().width - box.clientWidth;
    if (hidden <= 1) continue;
    box.scrollLeft = 1e6;
    if (table.getBoundingClientRect().right > right + 1) wrong.push(`a table can't be scrolled to its end: ${name}`);
    box.scrollLeft = 0;
    if (box.tabIndex < 0) wrong.push(`a table that scrolls is not reached by keyboard: ${name}`);
    if (!/→/.test(getComputedStyle(box, '::after').content)) wrong.push(`a table does not say that it scrolls: ${name}`);
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
    if (!math.closest('details:not([open]), .on-paper') && math.getBoundingClientRect().width === 0) wrong.push('an empty formula');
  for (const asked of main.querySelectorAll('.predict'))
    if (!asked.querySelector('.happened')) wrong.push(`a prediction without its answer: ${asked.textContent.trim().slice(0, 80)}`);
  const prose = main.cloneNode(true);
  prose.querySelectorAll('pre, code, svg, math').forEach(node => node.remove());
  const raw = prose.textContent.match(/\$[^$\n]{1,40}\$|\\(frac|sqrt|text|operatorname)\b|\{\{#/);
  if (raw) wrong.push(`not rendered: ${raw[0]}`);
  if (main.querySelector('.stale')) wrong.push('its outputs are older than its code');
  return wrong;
}
