/* Clicks by data attribute: data-weir-event names them, data-weir-prop-* are their properties. Elements that come later
 * count too: one listener on the document. */
import type { Properties } from './types';

const PROPERTY = 'data-weir-prop-';

/** Numbers and booleans as such, where the text is exactly one. */
function value(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return text && String(Number(text)) === text ? Number(text) : text;
}

export function watchClicks(click: (name: string, properties: Properties) => void): void {
  document.addEventListener(
    'click',
    (event) => {
      const path = event.composedPath?.() ?? [event.target];
      const element = path.find((node): node is Element => node instanceof Element && node.hasAttribute('data-weir-event'));
      if (!element) return;
      const properties: Properties = {};
      for (const { name, value: text } of Array.from(element.attributes))
        if (name.startsWith(PROPERTY)) properties[name.slice(PROPERTY.length).replace(/-/g, '_')] = value(text);
      if (element instanceof HTMLAnchorElement && element.href) properties.href ??= element.href;
      click(element.getAttribute('data-weir-event')!, properties);
    },
    { capture: true, passive: true },
  );
}
