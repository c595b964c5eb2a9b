/* What is the same for all events of a page, told once a request: device, screen, language. */
import type { Properties } from './types';

declare const VERSION: string;

export function pageContext(): Properties {
  const { width, height } = screen;
  const coarse = matchMedia('(pointer: coarse)').matches;
  return {
    library: { name: 'weir.js', version: VERSION },
    locale: navigator.language,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    user_agent: navigator.userAgent,
    device: coarse ? (Math.min(width, height) >= 600 ? 'tablet' : 'mobile') : 'desktop',
    screen: { width, height, density: devicePixelRatio },
  };
}

/** Where the visitor is; the referrer only when it is another site. */
export function pageProperties(landing: boolean): Properties {
  const properties: Properties = { page: location.pathname, title: document.title, url: location.href.split('#')[0] };
  if (!landing) return properties;
  const { referrer } = document;
  if (referrer && !referrer.startsWith(location.origin + '/')) properties.referrer = referrer;
  for (const [name, text] of new URLSearchParams(location.search)) if (name.startsWith('utm_')) properties[name] = text;
  return properties;
}
