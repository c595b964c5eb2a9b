/* The shop: shows pages, and starts weir.js with what this weir says about itself (GET /v1/config). */
import { cart } from './cart.js';
import { h } from './dom.js';
import { route } from './router.js';
import { strip } from './strip.js';
import * as views from './views.js';

const main = document.getElementById('main');
const sent = strip(document.getElementById('strip'));

function view(path) {
  const [, , kind, id] = path.split('/'); // /shop/KIND/ID
  switch (kind ?? '') {
    case '': return views.home();
    case 'c': return views.category(id);
    case 'p': return views.detail(id);
    case 'cart': return views.basket();
    case 'checkout': return views.checkout();
    case 'thanks': return views.thanks();
    default: return views.missing();
  }
}

function show(path, { moved }) {
  const { title, body } = view(path);
  document.title = title;
  main.replaceChildren(...body);
  for (const link of document.querySelectorAll('#categories a'))
    link.toggleAttribute('aria-current', link.getAttribute('href') === path);
  if (!moved) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function paintCart() {
  const n = cart.count();
  document.getElementById('cart-count').textContent = n ? String(n) : '';
}

async function startTracking() {
  try {
    const answer = await fetch('/v1/config');
    const { ingest_url: endpoint, demo } = await answer.json();
    if (!endpoint || !demo) {
      sent.say('bad', 'No demo tenant here: start weir with --env dev');
      return;
    }
    sent.say('', 'Connecting');
    window.weir.init({ key: demo.write_key, endpoint, flushIntervalMs: 800, observe: sent.observe });
    sent.paintConsent();
  } catch (error) {
    sent.say('bad', `No weir here: ${error.message}`);
  }
}

document.getElementById('categories').append(...views.CATEGORIES.map((name) => h('a', { href: `/shop/c/${name}`, 'data-link': true }, views.title(name))));
addEventListener('cart', paintCart);
paintCart();
route(show);
startTracking();
