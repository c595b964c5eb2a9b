/* "What was sent": each event as it is made, leaves, and is acknowledged by the server's disk. Fed by weir.js's observe option. */
import { h } from './dom.js';

const SHOWN_MAX = 40;
const WORDS = {
  made: 'waiting', sent: 'on its way', acknowledged: 'on disk', rejected: 'dead letter', beaconed: 'left with the page', failed: 'will retry', dropped: 'dropped',
};

export function strip(place) {
  const rows = new Map(); // event id → row
  const counts = { acknowledged: 0, rejected: 0, dropped: 0 };
  let lastMs;
  const list = h('ol', { class: 'sent-list', tabindex: '0', 'aria-label': 'Latest events' });
  const state = h('span', { class: 'state', role: 'status' });
  const numbers = h('span', { class: 'numbers' });
  const consent = h('button', { type: 'button', class: 'consent', 'aria-pressed': 'true' }, 'Tracking on');
  const toggle = h('button', { type: 'button', class: 'toggle', 'aria-expanded': 'true', 'aria-controls': 'sent' }, 'Hide');
  const body = h('div', { class: 'sent-body', id: 'sent' }, list);
  place.replaceChildren(
    h('div', { class: 'bar' }, state, numbers, h('span', { class: 'grow' }), consent,
      h('a', { class: 'dashboard', href: '/', target: '_blank', rel: 'noopener' }, 'Dashboard'), toggle), body);

  const fold = (open) => {
    body.hidden = !open;
    toggle.setAttribute('aria-expanded', open);
    toggle.textContent = open ? 'Hide' : 'Show';
    document.documentElement.classList.toggle('folded', !open);
  };
  toggle.addEventListener('click', () => fold(body.hidden));
  fold(!matchMedia('(max-width: 640px)').matches);
  consent.addEventListener('click', () => {
    const on = !window.weir.enabled;
    window.weir.consent(on ? 'granted' : 'denied');
    paintConsent();
  });

  function paintConsent() {
    const on = window.weir.enabled !== false;
    consent.setAttribute('aria-pressed', on);
    consent.textContent = on ? 'Tracking on' : 'Tracking off';
  }

  function say(kind, text) {
    state.className = `state ${kind}`;
    state.textContent = text;
  }

  function paint() {
    const waiting = window.weir?.waiting ?? 0;
    numbers.replaceChildren(
      h('span', {}, h('b', {}, counts.acknowledged.toLocaleString('en')), ' on disk'),
      h('span', {}, h('b', {}, waiting.toLocaleString('en')), ' waiting'),
      counts.rejected + counts.dropped ? h('span', {}, h('b', {}, counts.rejected + counts.dropped), ' refused') : '',
      lastMs === undefined ? '' : h('span', { class: 'took' }, h('b', {}, `${lastMs} ms`), ' last answer'));
  }

  function row(event) {
    const known = rows.get(event.event_id);
    if (known) return known;
    const what = event.properties.product_id ?? event.properties.order_id ?? event.properties.page ?? '';
    const made = {
      state: h('span', { class: 'pill' }),
      element: h('li', {}, h('time', {}, new Date(event.timestamp).toLocaleTimeString('en-GB')), h('span', { class: 'type' }, event.event_type),
        h('span', { class: 'what' }, event.event_type === event.event_name ? what : `${event.event_name} ${event.event_type === 'page_view' ? '' : what}`)),
    };
    made.element.append(made.state);
    rows.set(event.event_id, made);
    list.prepend(made.element);
    while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
    if (rows.size > 4 * SHOWN_MAX) rows.delete(rows.keys().next().value);
    return made;
  }

  function observe(step, events, detail) {
    for (const event of events) {
      const one = row(event);
      one.state.className = `pill ${step}`;
      one.state.textContent = step === 'acknowledged' ? `on disk, ${detail.tookMs} ms` : WORDS[step];
    }
    if (step in counts) counts[step] += events.length;
    if (step === 'acknowledged') {
      lastMs = detail.tookMs;
      say('good', 'Live');
    }
    if (step === 'failed') say('bad', `Not reached; again in ${Math.max(1, Math.round(detail.retryInMs / 1000))} s`);
    paint();
  }

  paint();
  return { observe, say, paintConsent };
}
