/* What is in the basket: { id: quantity }, kept over a reload where the browser lets us. */
import { product } from './products.js';

const NAME = 'shop.cart';
const QUANTITY_MAX = 9;
let lines = read();

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? '{}');
    return Object.fromEntries(Object.entries(found).filter(([id, n]) => product(id) && n > 0 && n <= QUANTITY_MAX));
  } catch {
    return {};
  }
}

function keep() {
  try {
    localStorage.setItem(NAME, JSON.stringify(lines));
  } catch {
    // it lives as long as the page
  }
  dispatchEvent(new Event('cart'));
}

export const cart = {
  lines: () => Object.entries(lines).map(([id, quantity]) => ({ ...product(id), quantity })),
  count: () => Object.values(lines).reduce((sum, n) => sum + n, 0),
  cents: () => cart.lines().reduce((sum, line) => sum + line.cents * line.quantity, 0),
  set(id, quantity) {
    if (quantity > 0) lines[id] = Math.min(quantity, QUANTITY_MAX);
    else delete lines[id];
    keep();
  },
  add: (id) => cart.set(id, (lines[id] ?? 0) + 1),
  clear() {
    lines = {};
    keep();
  },
};
