/* Elements without a library: h('a', { href, class: 'x', onclick }, child…). Text is text: nothing is parsed but our own drawings. */

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

export function art(product) {
  const box = h('div', { class: `art ${product.category}` });
  box.innerHTML = product.art;
  return box;
}
