// Runs in a page; answers with the text that stands out too little from what is painted behind it, where axe-core does not
// look: in figures, and in the table of contents, which it takes to be covered. Text needs 4.5 : 1, large text 3 : 1.
() => {
  const rgba = colour => {
    const [r, g, b, a = 1] = colour.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, i) => value * a + below[i] * (1 - a));
  const luminance = colour => colour
    .map(value => value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const painted = (element, what) => {
    const style = getComputedStyle(element);
    if (style[what] === 'none' || style.visibility === 'hidden') return null;
    const colour = rgba(style[what]);
    for (let at = element; at.tagName.toLowerCase() !== 'svg'; at = at.parentElement) colour[3] *= Number(getComputedStyle(at).opacity);
    colour[3] *= Number(style[`${what}Opacity`]);
    return colour[3] > 0 ? colour : null;
  };
  // Cells of a heatmap are thick strokes.
  const covers = ({ shape, what, box, wide }, x, y) => {
    if (x < box.left - wide || x > box.right + wide || y < box.top - wide || y > box.bottom + wide) return false;
    const at = new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse());
    return what === 'fill' ? shape.isPointInFill(at) : shape.isPointInStroke(at);
  };
  const faint = [];
  for (const svg of document.querySelectorAll('main svg[role="img"]')) {
    if (svg.getBoundingClientRect().width === 0) continue;
    const paper = behind(svg), shapes = [];
    for (const element of svg.querySelectorAll('rect, path, polygon, polyline, circle, ellipse, text')) {
      const box = element.getBoundingClientRect(), scale = element.getScreenCTM().a;
      if (element.tagName !== 'text') {
        for (const what of ['fill', 'stroke']) {
          const colour = painted(element, what), wide = parseFloat(getComputedStyle(element).strokeWidth) * scale;
          if (colour && (what === 'fill' || wide > 8)) shapes.push({ shape: element, what, box, wide, colour });
        }
        continue;
      }
      const colour = painted(element, 'fill');
      if (!colour) continue;
      if (!element.textContent.trim() || box.width === 0) continue;
      const style = getComputedStyle(element), size = parseFloat(style.fontSize) * scale;
      const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
      for (const part of [0.1, 0.5, 0.9]) {
        const x = box.left + box.width * part, y = box.top + box.height / 2;
        const ground = shapes.filter(shape => covers(shape, x, y)).reduce((below, shape) => over(shape.colour, below), paper);
        const got = contrast(over(colour, ground), ground);
        if (got < needed) {
          const alt = svg.querySelector('title')?.textContent.trim().slice(0, 60);
          faint.push(`text at ${got.toFixed(2)} : 1, "${element.textContent.trim()}", in the figure: ${alt}`);
          break;
        }
      }
    }
  }
  for (const entry of document.querySelectorAll('#mdbook-sidebar :is(a, .part-title)')) {
    if (entry.getClientRects().length === 0) continue;
    const got = contrast(rgba(getComputedStyle(entry).color), behind(entry));
    if (got < 4.5) faint.push(`text at ${got.toFixed(2)} : 1, "${entry.textContent.trim()}", in the table of contents`);
  }
  return faint;
}
