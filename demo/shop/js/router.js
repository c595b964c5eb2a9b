/* Navigation by the history API, as single-page applications have it: weir.js counts a page view each time by itself. */

let show = () => {};

export function go(address, { replace = false } = {}) {
  const target = new URL(address, location.href);
  const same = target.pathname + target.search === location.pathname + location.search;
  history[same || replace ? 'replaceState' : 'pushState'](null, '', target);
  show(location.pathname, { moved: !same });
}

export function route(render) {
  show = render;
  addEventListener('popstate', () => show(location.pathname, { moved: true }));
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-link]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });
  show(location.pathname, { moved: false });
}
