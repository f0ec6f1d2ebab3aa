// What can be clicked or scrolled can be reached by keyboard, too, and has a name that fits. Without this file all pages can
// still be read.
'use strict';

// What scrolls sideways in its own box is a stop of the Tab key and says that it goes on; what fits stays plain.
(() => {
    const boxes = 'pre, pre > code, figure, .table-wrapper, .math, p:has(math)';
    const scrolls = box => box.scrollWidth > box.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(box).overflowX);
    const sizes = new ResizeObserver(seen => seen.forEach(({ target: box }) => {
        const now = scrolls(box);
        if (now === box.classList.contains('scrolls')) return;
        box.classList.toggle('scrolls', now);
        if (now) box.tabIndex = 0;
        else box.removeAttribute('tabindex');
    }));
    document.querySelectorAll(boxes).forEach(box => sizes.observe(box));
})();

// mdBook's button for the table of contents is a label: no stop of the Tab key, and no button to a screen reader.
(() => {
    const label = document.getElementById('mdbook-sidebar-toggle');
    if (!label) return;
    label.role = 'button';
    label.tabIndex = 0;
    label.addEventListener('keydown', event => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        label.click();
    });
})();
