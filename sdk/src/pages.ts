/* Page views of single-page applications. The history's functions are wrapped; a change of path or query is a new page,
 * anything else (a replaced state, a popstate to where we are, a hash) is not. The view is counted a moment later, when the
 * application has set its title, and before any event that follows it. */

export interface Pages {
  /** Counts the page now, if it has not been. */
  settle(): void;
}

const place = (): string => location.pathname + location.search;

export function watchPages(view: () => void): Pages {
  let counted: string | undefined;
  let hidden = false; // rendered before anybody asked for it
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settle = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (hidden || counted === place()) return;
    counted = place();
    view();
  };
  const moved = (): void => {
    timer ??= setTimeout(settle, 0);
  };
  for (const name of ['pushState', 'replaceState'] as const) {
    const before = history[name];
    history[name] = function (this: History, ...args: Parameters<History['pushState']>) {
      before.apply(this, args);
      moved();
    };
  }
  addEventListener('popstate', moved);
  addEventListener('pageshow', (event) => {
    if (event.persisted) {
      counted = undefined; // back from the browser's cache: seen again
      settle();
    }
  });
  hidden = !!(document as { prerendering?: boolean }).prerendering;
  if (hidden)
    document.addEventListener('prerenderingchange', () => {
      hidden = false;
      settle();
    });
  else if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', settle); // its title comes
  else settle();
  return { settle };
}
