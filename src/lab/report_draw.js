// How charts come onto the page: when they are seen, as wide as the page lets them, in its colours.

const charts = [];  // {container, spec(width), view}: specs are made anew when colours, width or the arms shown change
let vegaLibrary = null;

// Vega's packages one by one: resolves what they ask for, then does what Vega's own index does: gathers the names and
// puts all transforms into one place.
function loadVega() {
  if (window.vega && window.vega.View) return window.vega;
  const loaded = {};
  const require = name => {
    if (!loaded[name]) {
      const module = {exports: {}};
      loaded[name] = module.exports;
      ogeeModules[name](module.exports, module, require);
    }
    return loaded[name];
  };
  const names = Object.keys(ogeeModules);
  const transforms = require('vega-dataflow').transforms;
  for (const name of ['vega-transforms', 'vega-view-transforms', 'vega-encode'])
    Object.assign(transforms, require(name));
  return Object.assign(
      {}, ...names.map(require), {View: require('vega-view').View, parse: require('vega-parser').parse});
}

const tip = element('div', {id: 'tip', role: 'status'});
function placeTip(text, x, y) {
  tip.textContent = String(text ?? '');
  tip.style.display = text ? 'block' : 'none';
  tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + 'px';
  tip.style.top = Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 8)) + 'px';
}

// The marks that have something to say, in the order of the page.
const marksOf = container => [...container.querySelectorAll('svg path, svg rect')].filter(
    node => node.__data__ && node.__data__.tooltip);

function chart(title, spec, under = '') {
  const container = element('div', {class: 'chart', tabindex: '0', role: 'group', 'aria-label': `chart: ${title}. Arrow keys read its marks.`});
  let at = -1;
  container.addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (event.key === 'Escape') placeTip('', 0, 0);
    const marks = step ? marksOf(container) : [];
    if (!marks.length) return;
    event.preventDefault();
    at = (at + step + marks.length) % marks.length;
    const box = marks[at].getBoundingClientRect();
    placeTip(marks[at].__data__.tooltip, box.x + box.width / 2, box.y + box.height / 2);
  });
  container.addEventListener('blur', () => placeTip('', 0, 0));
  charts.push({container, spec, view: null});
  return element('figure', {}, element('figcaption', {}, title, ...(under ? [element('small', {}, under)] : [])), container);
}

function drawOne(chart) {
  const width = chart.container.clientWidth;
  if (chart.view) chart.view.finalize();
  chart.container.style.minHeight = '0';
  const view = new vegaLibrary.View(
      vegaLibrary.parse(chart.spec(width)), {renderer: 'svg', container: chart.container, hover: true});
  view.tooltip((handler, event, item, value) => placeTip(value, event.clientX, event.clientY));
  view.run();
  chart.view = view;
  chart.width = width;
}

const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    const chart = charts.find(each => each.container === entry.target);
    chart.near = entry.isIntersecting;
    if (chart.near && (!chart.view || chart.stale)) chart.stale = false, drawOne(chart);
  }
}, {rootMargin: '800px'});

function draw() {
  for (const chart of charts) {
    if (chart.near)
      drawOne(chart);
    else
      chart.stale = true;
  }
}

// Buttons for the arms; where there are many, also for groups of them.
function legend() {
  const buttons = new Map();
  const press = () => {
    for (const [name, button] of buttons) button.setAttribute('aria-pressed', String(shown.has(name)));
    draw();
  };
  const show = names => (shown.clear(), names.forEach(name => shown.add(name)), press());
  const names = arms.map(arm => arm.activation);
  const list = element('div', {class: 'legend', role: 'group', 'aria-label': 'arms shown'}, ...names.map(name => {
    const button = element(
        'button', {type: 'button', 'aria-pressed': String(shown.has(name)), title: 'show or hide'}, swatch(name), name);
    button.onclick = () => (shown.has(name) ? shown.delete(name) : shown.add(name), press());
    buttons.set(name, button);
    return button;
  }));
  if (names.length < 6) return list;
  const group = (words, some) => {
    const button = element('button', {type: 'button', class: 'plain'}, words);
    button.onclick = () => show(some);
    return button;
  };
  return element('div', {}, element('p', {class: 'note groups'}, 'Show ',
    ...(names.length > palette.length ? [group(`the best ${palette.length}`, names.slice(0, palette.length)), ' '] : []),
    group(`all ${names.length}`, names), ' ', group('none', [])), list);
}

function start() {
  page();
  vegaLibrary = loadVega();
  for (const chart of charts) seen.observe(chart.container);
  // The rest in spare moments: for searching, and for printers.
  const spare = window.requestIdleCallback || (work => setTimeout(work, 50));
  const drawNext = () => {
    const next = charts.find(chart => !chart.view);
    if (next)
      drawOne(next), spare(drawNext, {timeout: 500});
    else
      performance.mark('drawn');
  };
  spare(drawNext, {timeout: 500});
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  let waiting = 0;
  addEventListener('resize', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => charts.some(c => c.view && c.width !== c.container.clientWidth) && draw(), 150);
  });
  addEventListener('beforeprint', () => charts.filter(chart => !chart.view).forEach(drawOne));
}
start();
