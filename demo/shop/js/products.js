/* What is on the shelves. Prices are integer cents. The drawings are SVG without styles of their own: shop.css colours them. */

export const CATEGORIES = ['tents', 'jackets', 'shoes', 'lamps', 'stoves', 'bags'];

const draw = (inside) => `<svg viewBox="0 0 160 120" aria-hidden="true" focusable="false"><circle class="sun" cx="122" cy="34" r="15"/>`
  + `<path class="hill" d="M0 92q36-30 74-10t86-14v52H0z"/>${inside}</svg>`;

export const PRODUCTS = [
  {
    id: 'tents-003', category: 'tents', name: 'Tarn 2', cents: 28900, tag: 'Two people, 1.6 kg',
    text: 'Two doors, one pole, up in four minutes, also in the rain. The inner tent hangs in it already.',
    art: draw('<path class="a" d="M38 100 82 34l44 66z"/><path class="b" d="M82 34 66 100h32z"/><path class="line" d="M82 34v-8M38 100l-12 4M126 100l12 4"/>'),
  },
  {
    id: 'jackets-011', category: 'jackets', name: 'Drizzle shell', cents: 14950, tag: 'Three layers',
    text: 'Keeps a day of rain outside and packs down to the size of an apple.',
    art: draw('<path class="a" d="M58 38q22-14 44 0l18 16-10 14-8-6v40H58V62l-8 6-10-14z"/><path class="line" d="M80 34v68M66 74h8M86 74h8"/><path class="b" d="M66 35q14 14 28 0l-6-7q-8-4-16 0z"/>'),
  },
  {
    id: 'shoes-024', category: 'shoes', name: 'Scree runners', cents: 11900, tag: 'Grip on wet rock',
    text: 'A low shoe for long days: stiff enough for a ridge, soft enough for the way home.',
    art: draw('<path class="a" d="M30 62q14 4 22-8l36 22q26 2 40 10v10H32q-6-16-2-34z"/><path class="b" d="M32 96h96v6q-48 6-96 0z"/><path class="line" d="M60 62l8-8M70 68l8-8M80 74l8-8"/>'),
  },
  {
    id: 'lamps-005', category: 'lamps', name: 'Glowworm', cents: 3995, tag: '400 lumen',
    text: 'A headlamp with one large button that gloves can find. Forty hours on low.',
    art: draw('<path class="ray" d="M92 62 152 30v64z"/><rect class="a" x="52" y="44" width="44" height="36" rx="12"/><circle class="b" cx="84" cy="62" r="11"/><path class="line" d="M52 62H22M52 54q-22-6-30 2"/>'),
  },
  {
    id: 'stoves-002', category: 'stoves', name: 'Ember', cents: 5450, tag: 'Boils in 3 min',
    text: 'Burns what lies around: twigs, cones, bark. Folds flat, weighs 280 g.',
    art: draw('<path class="a" d="M54 70h52l-6 34H60z"/><path class="b" d="M80 24q16 16 12 28-2 10-12 12-10-2-12-12 0-8 8-12 0 8 4 8 6-8 0-24z"/><path class="line" d="M48 70h64M66 82v12M80 82v12M94 82v12"/>'),
  },
  {
    id: 'bags-017', category: 'bags', name: 'Ridge 28', cents: 9900, tag: '28 litres',
    text: 'A day sack that stays where it is put. One large pocket, one wet one, no straps that dangle.',
    art: draw('<path class="a" d="M54 48q0-22 26-22t26 22v46q0 10-10 10H64q-10 0-10-10z"/><path class="b" d="M62 66h36v24H62z"/><path class="line" d="M70 26q0-10 10-10t10 10M54 58q-10 4-8 30M106 58q10 4 8 30M74 74h12"/>'),
  },
  {
    id: 'tents-008', category: 'tents', name: 'Larch tarp', cents: 8450, tag: '3 × 3 m',
    text: 'Twelve loops, endless roofs. With a line and two trees it is a house.',
    art: draw('<path class="tree" d="M28 100V30M132 100V30"/><path class="a" d="M28 40 80 52l52-12 8 34-60 10-60-10z"/><path class="line" d="M28 40h104M20 74l-8 20M140 74l8 20"/>'),
  },
  {
    id: 'lamps-012', category: 'lamps', name: 'Hut lantern', cents: 4795, tag: 'Warm light',
    text: 'Light for a table of six. Hangs, stands, floats.',
    art: draw('<circle class="ray" cx="80" cy="66" r="42"/><path class="a" d="M62 42h36l6 50H56z"/><path class="b" d="M68 50h24l4 34H64z"/><path class="line" d="M66 42q14-30 28 0M54 96h52"/>'),
  },
];

export const product = (id) => PRODUCTS.find((one) => one.id === id);

const format = new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'EUR' });
export const money = (cents) => format.format(cents / 100);
