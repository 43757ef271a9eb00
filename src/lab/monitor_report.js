'use strict';
// Draws the page from the element `data`: findings, the loss, maps of layer by step, the table of layers.

const data = JSON.parse(document.getElementById('data').textContent);
const {record, findings, layers, losses} = data;
const severities = ['note', 'warning', 'error'];

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter(child => child !== null && child !== ''));
  return node;
}
const note = (...text) => element('p', {class: 'note'}, ...text);
const count = value => value.toLocaleString('en');
const plural = (value, word) => `${count(value)} ${word}${value === 1 ? '' : 's'}`;

function number(value) {
  if (value === null || value === undefined) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-3 || size >= 1e5) return value.toExponential(1).replace('e+', 'e');
  return Number(value.toPrecision(3)).toString();
}
function percent(value) {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  if (value < 0.001) return '<0.1 %';
  if (value < 1 && value > 0.995) return '>99 %';
  return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
}

// What all names begin with, up to a dot, is left out where there is little room.
const prefix = (() => {
  if (layers.length < 2) return 0;
  let common = layers[0].name;
  for (const {name} of layers)
    while (!name.startsWith(common)) common = common.slice(0, -1);
  return common.lastIndexOf('.') + 1;
})();
const shortName = layer => layer.name.slice(prefix);

// The worst that was found of each layer, by name.
const marks = {};
for (const finding of findings)
  for (const name of [finding.layer, ...finding.layers])
    if (name && severities.indexOf(finding.severity) > severities.indexOf(marks[name] ?? ''))
      marks[name] = finding.severity;

function findingCard(finding) {
  const rule = finding.rule.replaceAll('_', ' ');
  const several = finding.layers.length > 1;
  const where = several ? `${finding.layers[0]} to ${finding.layers.at(-1)} (${finding.layers.length} layers)` :
                          finding.layer || finding.layers[0] || '';
  const when = [
    finding.since > 0 ? `since step ${count(finding.since)}` : '',
    finding.sure > 0 ? `${Math.round(100 * finding.sure)} % sure` : ''
  ].filter(Boolean).join(', ');
  const card = element(
      'section', {class: `finding ${finding.severity === 'note' ? 'hint' : finding.severity}`},
      element(
          'h3', {}, element('b', {}, rule), where ? ' ' : '', where ? element('span', {class: 'where'}, where) : '',
          when ? element('span', {class: 'when'}, ` – ${when}`) : ''),
      element('p', {}, finding.evidence), finding.why ? element('p', {class: 'why'}, finding.why) : '',
      finding.advice ? element('p', {}, element('b', {}, 'What to do: '), finding.advice) : '',
      finding.command ? element('pre', {}, finding.command) : '');
  if (several)
    card.append(element('details', {}, element('summary', {}, 'all layers'), element('p', {}, finding.layers.join(', '))));
  if (finding.explained) card.append(element('p', {class: 'why'}, `Explained in ${finding.explained}`));
  return card;
}

function nonFinite(origin) {
  const what = origin.is_nan ? 'NaN' : 'infinity';
  const place = origin.row >= 0 ? `, first in row ${origin.row} of the batch` :
      origin.position >= 0     ? `, first at element ${origin.position}` :
                                 '';
  const where = origin.op ? `made by ${origin.op}${origin.layer ? ` after ${origin.layer}` : ''}` : 'of unknown origin';
  return element(
      'li', {},
      `Step ${count(origin.step)}, ${origin.backward ? 'backward' : 'forward'}: ${what} ${where}${place}` +
          `${origin.reached ? `; it reached ${origin.reached}` : ''}. ${origin.how}`);
}

// --- The loss -------------------------------------------------------------------------------------------------------
const drawn = (tag, attributes, ...children) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

function ticksBetween(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough);
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) ticks.push(Number(t.toPrecision(12)));
  return ticks;
}

function lossCurve() {
  const points = losses.filter(([, value]) => value !== null);
  if (points.length < 2) return null;
  const [width, height, left, right, top, bottom] = [1100, 240, 48, 8, 8, 22];
  const values = points.map(([, value]) => value);
  let low = Math.min(...values), high = Math.max(...values);
  const log = low > 0 && high / low > 30;
  const scale = value => log ? Math.log10(value) : value;
  if (!log && low > 0 && low < 0.4 * high) low = 0;
  if (scale(high) === scale(low)) high = low + (Math.abs(low) || 1);
  const first = Math.min(...points.map(([step]) => step)), last = Math.max(...points.map(([step]) => step));
  const x = step => left + (width - left - right) * (step - first) / (last - first || 1);
  const y = value => top + (height - top - bottom) * (scale(high) - scale(value)) / (scale(high) - scale(low));
  const svg = drawn('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': 'loss over steps'});
  const ticks = log ? ticksBetween(scale(low), scale(high), 4).map(t => 10 ** t) : ticksBetween(low, high, 4);
  // As many digits as tell two of them apart.
  const digits = log || ticks.length < 2 ? 0 : Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9));
  const label = tick => log ? number(tick) : tick.toFixed(digits);
  for (const tick of ticks)
    svg.append(
        drawn('line', {class: 'grid', x1: left, x2: width - right, y1: y(tick), y2: y(tick)}),
        drawn('text', {x: left - 6, y: y(tick) + 4, 'text-anchor': 'end'}, label(tick)));
  for (const tick of ticksBetween(first, last, 8).filter(Number.isInteger))
    svg.append(drawn('text', {x: x(tick), y: height - 6, 'text-anchor': 'middle'}, count(tick)));
  for (const finding of findings)
    if (finding.severity !== 'note' && finding.since > first && finding.since <= last) {
      const line = drawn('line', {
        class: `mark ${finding.severity}`,
        x1: x(finding.since),
        x2: x(finding.since),
        y1: top,
        y2: height - bottom
      });
      line.append(drawn('title', {}, `${finding.rule}: ${finding.layer}`));
      svg.append(line);
    }
  svg.append(drawn(
      'path', {class: 'line', d: points.map(([s, v], i) => `${i ? 'L' : 'M'}${x(s).toFixed(1)},${y(v).toFixed(1)}`).join('')}));
  svg.addEventListener('mousemove', event => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * width;
    const [step, value] = points.reduce((a, b) => Math.abs(x(b[0]) - at) < Math.abs(x(a[0]) - at) ? b : a);
    showTip(event, `step ${count(step)}\nloss ${Number(value.toPrecision(6))}`);
  });
  svg.addEventListener('mouseleave', hideTip);
  return element(
      'div', {class: 'loss'}, element('h2', {}, 'Loss'),
      note(
          `Of the observed steps${log ? ', on a logarithmic scale' : ''}` +
          `${svg.querySelector('.mark') ? '; dashed: where something was found first' : ''}.`),
      svg);
}

// --- What is said when pointing at something --------------------------------------------------------------------------
const tip = element('div', {id: 'tip', role: 'status'});
function showTip(event, text) {
  tip.textContent = text;
  tip.style.display = 'block';
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
}
function hideTip() {
  tip.style.display = 'none';
}
