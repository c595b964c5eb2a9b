/* One function a page: what stands in <main>. Clicks that say something carry data-weir-event; what a shop knows better than
 * a click (added, bought) is told by weir.track. */
import { cart } from './cart.js';
import { art, h } from './dom.js';
import { CATEGORIES, money, product, PRODUCTS } from './products.js';
import { go } from './router.js';

const weir = () => window.weir;
const link = (href, attributes, ...children) => h('a', { href, 'data-link': true, ...attributes }, ...children);
const title = (text) => text[0].toUpperCase() + text.slice(1);
const facts = (one, quantity = 1) => ({
  product_id: one.id, category: one.category, quantity, amount_cents: one.cents * quantity, currency: 'EUR',
});

function card(one, list) {
  return h('li', { class: 'card' },
    link(`/shop/p/${one.id}`, {
      'data-weir-event': 'product_card', 'data-weir-prop-product-id': one.id, 'data-weir-prop-category': one.category, 'data-weir-prop-list': list,
    }, art(one), h('span', { class: 'name' }, one.name), h('span', { class: 'tag' }, one.tag)),
    h('div', { class: 'buy' }, h('span', { class: 'price' }, money(one.cents)),
      h('button', { type: 'button', class: 'small', 'aria-label': `Add ${one.name} to cart`, onclick: () => add(one) }, 'Add')));
}

function add(one) {
  cart.add(one.id);
  weir().track('add_to_cart', facts(one));
}

const grid = (products, list) => h('ul', { class: 'grid' }, products.map((one) => card(one, list)));

export function home() {
  return { title: 'Larch & Lake', body: [
    h('section', { class: 'hero' },
      h('div', {}, h('h1', {}, 'Out by eight, back by dark.'),
        h('p', {}, 'Eight good things for a day outside. No ninth.'),
        link('/shop/p/tents-003', { class: 'button', 'data-weir-event': 'hero', 'data-weir-prop-product-id': 'tents-003' }, 'See the Tarn 2')),
      art(product('tents-003'))),
    h('h2', {}, 'Everything'), grid(PRODUCTS, 'home'),
  ] };
}

export function category(name) {
  if (!CATEGORIES.includes(name)) return missing();
  return { title: `${title(name)} – Larch & Lake`, body: [h('h1', {}, title(name)), grid(PRODUCTS.filter((one) => one.category === name), name)] };
}

export function detail(id) {
  const one = product(id);
  if (!one) return missing();
  return { title: `${one.name} – Larch & Lake`, body: [
    h('article', { class: 'detail' }, art(one),
      h('div', {},
        h('p', { class: 'crumb' }, link(`/shop/c/${one.category}`, {}, title(one.category))),
        h('h1', {}, one.name), h('p', { class: 'tag' }, one.tag), h('p', {}, one.text),
        h('p', { class: 'price large' }, money(one.cents)),
        h('div', { class: 'row' },
          h('button', { type: 'button', class: 'button', onclick: () => add(one) }, 'Add to cart'),
          link('/shop/cart', { class: 'quiet', 'data-weir-event': 'go_to_cart' }, 'Go to cart')),
        h('details', { ontoggle: (event) => event.target.open && weir().track('click', facts(one), 'care_instructions') },
          h('summary', {}, 'Care'), h('p', {}, 'Cold water, no softener, air. It will outlive the fashion.')))),
    h('h2', {}, 'Goes well with it'), grid(PRODUCTS.filter((other) => other.category !== one.category).slice(0, 3), 'goes_with'),
  ] };
}

function stepper(line) {
  const set = (quantity) => {
    cart.set(line.id, quantity);
    weir().track(quantity ? 'cart_changed' : 'remove_from_cart', facts(line, quantity));
    go('/shop/cart', { replace: true });
  };
  return h('div', { class: 'stepper', role: 'group', 'aria-label': `Quantity of ${line.name}` },
    h('button', { type: 'button', 'aria-label': 'One less', onclick: () => set(line.quantity - 1) }, '−'),
    h('output', {}, String(line.quantity)),
    h('button', { type: 'button', 'aria-label': 'One more', onclick: () => set(line.quantity + 1) }, '+'));
}

export function basket() {
  const lines = cart.lines();
  if (!lines.length)
    return { title: 'Cart – Larch & Lake', body: [h('div', { class: 'empty' }, h('h1', {}, 'Your cart is empty'),
      h('p', {}, 'The tents are that way.'), link('/shop/c/tents', { class: 'button' }, 'Look at tents'))] };
  return { title: 'Cart – Larch & Lake', body: [h('h1', {}, 'Cart'),
    h('ul', { class: 'lines' }, lines.map((line) => h('li', {}, art(line),
      h('div', { class: 'grow' }, link(`/shop/p/${line.id}`, { class: 'name' }, line.name), h('span', { class: 'tag' }, money(line.cents))),
      stepper(line), h('span', { class: 'price' }, money(line.cents * line.quantity))))),
    h('div', { class: 'total' }, h('span', {}, 'Total'), h('span', { class: 'price large' }, money(cart.cents()))),
    link('/shop/checkout', { class: 'button', 'data-weir-event': 'checkout_started', 'data-weir-prop-amount-cents': cart.cents() }, 'Checkout')] };
}

export function checkout() {
  if (!cart.count()) return basket();
  const submit = (event) => {
    event.preventDefault();
    const name = new FormData(event.target).get('name').trim();
    weir().identify(`shop_${name.toLowerCase().replace(/\W+/g, '_').slice(0, 40)}`, { plan: 'guest' });
    weir().track('purchase', {
      order_id: `o_${Date.now().toString(36)}`, items: cart.count(), amount_cents: cart.cents(), currency: 'EUR',
      product_ids: cart.lines().map((line) => line.id),
    });
    cart.clear();
    go('/shop/thanks');
  };
  return { title: 'Checkout – Larch & Lake', body: [h('h1', {}, 'Checkout'),
    h('form', { class: 'form', onsubmit: submit },
      h('label', {}, 'Name', h('input', { name: 'name', required: true, autocomplete: 'off', value: 'Ada Birch', maxlength: 60 })),
      h('label', {}, 'Delivery', h('select', { name: 'delivery' }, h('option', {}, 'By train'), h('option', {}, 'By bicycle'))),
      h('p', { class: 'tag' }, 'A made-up name will do: it becomes the user id of your events.'),
      h('div', { class: 'total' }, h('span', {}, `${cart.count()} ${cart.count() === 1 ? 'thing' : 'things'}`), h('span', { class: 'price large' }, money(cart.cents()))),
      h('button', { class: 'button', type: 'submit' }, 'Buy'))] };
}

export function thanks() {
  return { title: 'Thank you – Larch & Lake', body: [h('div', { class: 'empty' }, h('h1', {}, 'Thank you!'),
    h('p', {}, 'Your order is on its way to a table. Look for purchase in the latest events.'),
    h('div', { class: 'row' }, h('a', { class: 'button', href: '/', target: '_blank', rel: 'noopener' }, 'See it on the dashboard'),
      link('/shop/', { class: 'quiet' }, 'Back to the shop')))] };
}

export function missing() {
  return { title: 'Not here – Larch & Lake', body: [h('div', { class: 'empty' }, h('h1', {}, 'There is nothing here'),
    h('p', {}, 'It may have been sold out in 1987.'), link('/shop/', { class: 'button' }, 'Back to the shop'))] };
}

export { CATEGORIES, title };
