'use strict';
// Draws the page from results.json (the element `results`): the answer, the table, then the charts.

const results = JSON.parse(document.getElementById('results').textContent);

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
  for (const name of ['vega-transforms', 'vega-view-transforms', 'vega-encode']) Object.assign(transforms, require(name));
  return Object.assign({}, ...names.map(require), {View: require('vega-view').View, parse: require('vega-parser').parse});
}

const classification = results.metric === 'error';
const scale = classification ? 100 : 1;
const metricName = classification ? 'error (%)' : 'RMSE';
const arms = results.arms;
// Told apart in both light and dark, and by most who see colours differently.
const palette = ['#d1495b', '#3d7ea6', '#e08e1b', '#4c9f70', '#8963ba', '#8c6d46', '#17a2b8', '#d16ba5', '#8a9a1e', '#7f8c97'];
const colourOf = Object.fromEntries(arms.map((arm, i) => [arm.activation, palette[i % palette.length]]));
const shown = new Set(arms.map(arm => arm.activation));

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const swatch = name => element('span', {class: 'swatch', style: `background:${colourOf[name]}`});
const fixed = (value, digits, factor = 1) => value === null || value === undefined ? '–' : (value * factor).toFixed(digits);
const brief = value => value === null || value === undefined ? '–' : Number(value.toPrecision(2)).toExponential(1).replace('e+0', '').replace(/^(.*)e0$/, '$1');
const showError = value => value === null ? '–' : classification ? (100 * value).toFixed(2) : Number(value.toPrecision(4)).toString();

function answer() {
  const text = results.recommendation.text;
  const split = text.indexOf('. How sure');
  const parts = split < 0 ? [text] : [text.slice(0, split + 1), text.slice(split + 2)];
  const box = element('div', {class: 'answer'}, ...parts.map(part => element('p', {}, part)));
  if (!results.complete)
    box.prepend(element('p', {}, element('b', {}, `So far: ${results.runs_done} of ${results.runs_wanted} runs. `)));
  return box;
}

function table() {
  const head = ['activation', classification ? 'test error %' : 'test RMSE', '95 % interval', 'loss', 'ms/step', 'parameters',
    'dead %', 'saturated %', 'gradient first/last', 'learning rate', 'beside the lowest'];
  const body = arms.map(arm => {
    const error = arm.test_error;
    const cells = [null, showError(error.mean), error.low === null ? '' : `${showError(error.low)} – ${showError(error.high)}`,
      fixed(arm.test_loss, 3), fixed(arm.ms_per_step, 2), arm.parameters.toLocaleString('en'), fixed(arm.dead, 1, 100),
      fixed(arm.saturated, 1, 100), brief(arm.gradient_ratio.start), arm.learning_rate ?? '–', verdict(arm)];
    const usable = ['lowest', 'no difference seen', 'probably worse', 'worse', 'one seed: unknown'].includes(arm.verdict);
    const kind = arm.activation === results.recommendation.arm ? 'chosen' : usable ? '' : 'lost';
    const row = element('tr', {class: kind}, ...cells.map(cell => element('td', {}, String(cell ?? ''))));
    row.firstChild.append(swatch(arm.activation), arm.activation);
    row.title = arm.formula;
    return row;
  });
  return element('div', {class: 'scroll'}, element('table', {},
    element('thead', {}, element('tr', {}, ...head.map(name => element('th', {}, name)))), element('tbody', {}, ...body)));
}

function verdict(arm) {
  const against = arm.against_best;
  if (!against || against.low === null) return arm.verdict;
  const sign = against.difference >= 0 ? '+' : '−';
  return `${arm.verdict} (${sign}${showError(Math.abs(against.difference))}, p ${against.p_sign_flip.toPrecision(2)})`;
}

// ---- Charts --------------------------------------------------------------------------------------------------------

const charts = [];  // {container, spec()}: specs are made anew when the colours of the page change
let vegaLibrary = null;

function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function config() {
  const ink = css('--ink'), soft = css('--soft'), line = css('--line');
  return {
    background: null,
    axis: {labelColor: soft, titleColor: soft, domainColor: line, tickColor: line, gridColor: line, gridOpacity: 0.6,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: 'normal', labelLimit: 200},
    title: {color: ink, fontSize: 14, anchor: 'start', fontWeight: 600, offset: 10},
    font: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif',
  };
}

const base = (title, width, height) => ({
  $schema: 'https://vega.github.io/schema/vega/v5.json', width, height, padding: 5, config: config(),
  title: {text: title}, autosize: {type: 'pad'},
});
const colourScale = {name: 'colour', type: 'ordinal', domain: arms.map(a => a.activation), range: arms.map(a => colourOf[a.activation])};

// Where a logarithmic axis has its ticks: decades; 1, 2 and 5 of each where there are few.
function logTicks([low, high]) {
  const decades = Math.log10(high / low);
  const ticks = [];
  const each = decades > 6 ? 2 : 1;
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += each)
    for (const digit of decades > 2.5 ? [1] : [1, 2, 5]) {
      const tick = Number((digit * 10 ** power).toPrecision(1));
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  return ticks;
}
const logFormat = domain => domain[0] < 1e-3 || domain[1] > 1e4 ? '.0~e' : '~g';

function domainOf(values, log) {
  const fine = values.filter(v => v !== null && isFinite(v) && (!log || v > 0));
  return fine.length ? [Math.min(...fine), Math.max(...fine)] : [log ? 0.1 : 0, 1];
}

// Lines with bands, one for each arm, over epochs.
function curves(title, yTitle, field, {log = false, factor = 1, band = true} = {}) {
  const rows = [];
  for (const arm of arms) {
    if (!shown.has(arm.activation)) continue;
    for (const point of arm.curve) {
      const value = point[field];
      const mean = value !== null && typeof value === 'object' ? value.mean : value;
      if (mean === null || (log && mean <= 0)) continue;
      const low = value.low ?? mean, high = value.high ?? mean;
      rows.push({arm: arm.activation, epoch: point.epoch, mean: mean * factor,
        low: Math.max(log ? mean / 10 : 0, low) * factor, high: high * factor});
    }
  }
  const domain = domainOf(rows.map(row => row.mean), log);
  const number = `format(datum.mean, '.3~g')`;
  return {
    ...base(title, 440, 260),
    data: [{name: 'rows', values: rows},
      {name: 'points', source: 'rows', transform: [{type: 'formula', as: 'tip', expr: `datum.arm + '\\nepoch ' + datum.epoch + ': ' + ${number}`}]}],
    scales: [
      {name: 'x', type: 'linear', domain: {data: 'rows', field: 'epoch'}, range: 'width', nice: false},
      {name: 'y', type: log ? 'log' : 'linear', domain, range: 'height', nice: !log, zero: false, clamp: true},
      colourScale],
    axes: [{orient: 'bottom', scale: 'x', title: 'epoch', tickCount: 6, format: 'd'},
      {orient: 'left', scale: 'y', title: yTitle, grid: true, tickCount: 5,
        ...(log ? {values: logTicks(domain), format: logFormat(domain)} : {})}],
    marks: [{
      type: 'group', from: {facet: {name: 'line', data: 'points', groupby: 'arm'}}, clip: true,
      encode: {enter: {width: {signal: 'width'}, height: {signal: 'height'}}},
      marks: [
        ...(band ? [{type: 'area', from: {data: 'line'}, interactive: false, encode: {update: {
          x: {scale: 'x', field: 'epoch'}, y: {scale: 'y', field: 'low'}, y2: {scale: 'y', field: 'high'},
          fill: {scale: 'colour', field: 'arm'}, fillOpacity: {value: 0.13}}}}] : []),
        {type: 'line', from: {data: 'line'}, interactive: false, encode: {update: {
          x: {scale: 'x', field: 'epoch'}, y: {scale: 'y', field: 'mean'}, stroke: {scale: 'colour', field: 'arm'},
          strokeWidth: {value: 2}}}},
        {type: 'symbol', from: {data: 'line'}, encode: {update: {
          x: {scale: 'x', field: 'epoch'}, y: {scale: 'y', field: 'mean'}, size: {value: 60}, fill: {scale: 'colour', field: 'arm'},
          fillOpacity: {value: 0}, tooltip: {field: 'tip'}}, hover: {fillOpacity: {value: 1}}}}],
    }],
  };
}

// Every seed's final error as a point, the mean and its interval as a line.
function finals() {
  const points = [], means = [];
  for (const arm of arms) {
    for (const run of arm.runs)
      if (run.test_error !== null)
        points.push({arm: arm.activation, error: scale * run.test_error, tip: `${arm.activation}, seed ${run.seed}\n${showError(run.test_error)}`});
    const e = arm.test_error;
    if (e.mean !== null)
      means.push({arm: arm.activation, error: scale * e.mean, low: scale * (e.low ?? e.mean), high: scale * (e.high ?? e.mean),
        tip: `${arm.activation}\nmean ${showError(e.mean)}` + (e.low === null ? '' : `\n95 %: ${showError(e.low)} – ${showError(e.high)}`)});
  }
  const [low, high] = domainOf([...points.map(p => p.error), ...means.flatMap(m => [m.low, m.high])], true);
  const wide = high / low > 6;  // an arm that failed must not squeeze the others into one line
  return {
    ...base(`Test ${metricName}, each seed and the mean with its 95 % interval${wide ? ' (logarithmic)' : ''}`, 880, 30 * arms.length + 10),
    data: [{name: 'points', values: points}, {name: 'means', values: means}],
    scales: [{name: 'y', type: 'band', domain: arms.map(a => a.activation), range: 'height', padding: 0.3},
      {name: 'x', type: wide ? 'log' : 'linear', domain: wide ? [low / 1.1, high * 1.1] : [low - 0.05 * (high - low), high + 0.05 * (high - low)],
        range: 'width', zero: false, nice: false, clamp: true}, colourScale],
    axes: [{orient: 'left', scale: 'y', ticks: false, domain: false},
      {orient: 'bottom', scale: 'x', title: `test ${metricName}`, grid: true, tickCount: 8,
        format: '~g', ...(wide ? {values: logTicks([low / 1.1, high * 1.1])} : {})}],
    marks: [
      {type: 'rule', from: {data: 'means'}, interactive: false, encode: {update: {y: {scale: 'y', field: 'arm', band: 0.5}, x: {scale: 'x', field: 'low'},
        x2: {scale: 'x', field: 'high'}, stroke: {scale: 'colour', field: 'arm'}, strokeWidth: {value: 3}, strokeOpacity: {value: 0.55}}}},
      {type: 'symbol', from: {data: 'points'}, encode: {update: {y: {scale: 'y', field: 'arm', band: 0.5}, x: {scale: 'x', field: 'error'},
        size: {value: 45}, stroke: {scale: 'colour', field: 'arm'}, strokeWidth: {value: 1.5}, fill: {value: css('--paper')}, tooltip: {field: 'tip'}}}},
      {type: 'symbol', from: {data: 'means'}, encode: {update: {y: {scale: 'y', field: 'arm', band: 0.5}, x: {scale: 'x', field: 'error'},
        shape: {value: 'diamond'}, size: {value: 110}, fill: {scale: 'colour', field: 'arm'}, tooltip: {field: 'tip'}}}}],
  };
}

// The gradient's norm from the first layer to the last; gated arms have fewer layers, so the place is relative.
function gradients(title, when) {
  const rows = [];
  for (const arm of arms) {
    if (!shown.has(arm.activation)) continue;
    const values = arm.gradients[when];
    values.forEach((value, i) => {
      const norm = value === null ? null : Math.max(value, 1e-12);
      if (norm !== null) rows.push({arm: arm.activation, layer: values.length === 1 ? 1 : i / (values.length - 1), norm,
        tip: `${arm.activation}\nactivation ${i + 1} of ${values.length}: ${value.toExponential(1)}`});
    });
  }
  const domain = domainOf(rows.map(row => row.norm), true);
  return {
    ...base(title, 440, 260),
    data: [{name: 'rows', values: rows}],
    scales: [{name: 'x', type: 'linear', domain: [0, 1], range: 'width'},
      {name: 'y', type: 'log', domain, range: 'height', clamp: true}, colourScale],
    axes: [{orient: 'bottom', scale: 'x', title: 'place in the network', values: [0, 1], encode: {labels: {update: {
      text: {signal: "datum.value == 0 ? 'first layer' : 'last layer'"}, align: {signal: "datum.value == 0 ? 'left' : 'right'"}}}}},
      {orient: 'left', scale: 'y', title: 'norm of the gradient', grid: true,
        values: logTicks(domain), format: logFormat(domain)}],
    marks: [{type: 'group', from: {facet: {name: 'line', data: 'rows', groupby: 'arm'}}, marks: [
      {type: 'line', from: {data: 'line'}, interactive: false, encode: {update: {x: {scale: 'x', field: 'layer'}, y: {scale: 'y', field: 'norm'},
        stroke: {scale: 'colour', field: 'arm'}, strokeWidth: {value: 2}}}},
      {type: 'symbol', from: {data: 'line'}, encode: {update: {x: {scale: 'x', field: 'layer'}, y: {scale: 'y', field: 'norm'},
        size: {value: 40}, fill: {scale: 'colour', field: 'arm'}, tooltip: {field: 'tip'}}}}]}],
  };
}

const tip = element('div', {id: 'tip', role: 'status'});
function showTip(handler, event, item, value) {
  if (value === null || value === undefined || value === '') { tip.style.display = 'none'; return; }
  tip.textContent = String(value);
  tip.style.display = 'block';
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
}

function draw() {
  for (const chart of charts) {
    const view = new vegaLibrary.View(vegaLibrary.parse(chart.spec()), {renderer: 'svg', container: chart.container, hover: true});
    view.tooltip(showTip).runAsync().then(() => {
      // Scales with the page instead of overflowing it.
      const svg = chart.container.querySelector('svg');
      if (svg && !svg.hasAttribute('viewBox'))
        svg.setAttribute('viewBox', `0 0 ${svg.getAttribute('width')} ${svg.getAttribute('height')}`);
    });
  }
}

function chart(spec) {
  const container = element('div', {class: 'chart'});
  charts.push({container, spec});
  return container;
}

function legend() {
  return element('div', {class: 'legend', 'aria-label': 'arms shown'}, ...arms.map(arm => {
    const button = element('button', {'aria-pressed': 'true', title: 'show or hide'}, swatch(arm.activation), arm.activation);
    button.onclick = () => {
      const on = !shown.has(arm.activation);
      if (on) shown.add(arm.activation); else shown.delete(arm.activation);
      button.setAttribute('aria-pressed', String(on));
      draw();
    };
    return button;
  }));
}

function settings() {
  const list = element('dl');
  for (const [name, value] of Object.entries(results.experiment))
    list.append(element('dt', {}, name), element('dd', {}, Array.isArray(value) ? value.join(', ') :
      typeof value === 'object' ? Object.entries(value).map(([k, v]) => `${k} ${Array.isArray(v) ? v.join(', ') : v}`).join('; ') : String(value)));
  for (const [name, value] of Object.entries(results.environment))
    if (name !== 'command') list.append(element('dt', {}, name), element('dd', {}, typeof value === 'number' ? value.toFixed(1) : value));
  return list;
}

function page() {
  const data = results.data, experiment = results.experiment;
  const note = (...text) => element('p', {class: 'note'}, ...text);
  const out = document.getElementById('page');
  out.append(
    element('h1', {}, `Which activation for ${data.name}?`),
    element('p', {class: 'under'}, `${data.goal}: ${data.train.toLocaleString('en')} examples to train, ${data.validation.toLocaleString('en')} to validate, ` +
      `${data.test.toLocaleString('en')} to test. ${experiment.model}, depth ${experiment.depth}, width ${experiment.width}; ` +
      `${experiment.epochs} epochs, ${experiment.seeds} seed${experiment.seeds === 1 ? '' : 's'} for each of ${arms.length} arms.`),
    answer(), table(),
    note('The interval covers the noise of seeds (first weights, order of the data), not of another split. p: sign-flip permutation test of the ' +
      `paired differences, before correction; with ${experiment.seeds} seed${experiment.seeds === 1 ? '' : 's'} it cannot be less than ` +
      `${Number(results.statistics.smallest_sign_flip_p.toPrecision(2))}. Dead: units with slope 0 for every training example. ` +
      'Saturated: share of slopes below 5 % of the largest. Gradient first/last: norms of the loss gradient at the first and last activation, at initialisation.'));
  if (results.remarks.length) out.append(element('ul', {class: 'note'}, ...results.remarks.map(line => element('li', {}, line))));
  out.append(
    element('h2', {}, 'Final errors'), chart(finals),
    element('h2', {}, 'Learning'), note('Means over seeds with 95 % intervals. Click an arm to hide or show it.'), legend(),
    element('div', {class: 'charts'},
      chart(() => curves('Training loss', 'loss', 'train_loss', {log: true})),
      chart(() => curves(`Validation ${metricName}`, metricName, 'validation_error', {factor: scale, log: true}))),
    element('h2', {}, 'Gradients'),
    note('The norm of the loss gradient with respect to what goes into each activation, on the same training examples for every arm.'),
    element('div', {class: 'charts'},
      chart(() => gradients('At initialisation', 'start')), chart(() => gradients('After training', 'end')),
      chart(() => curves('First layer over last, during training', 'ratio', 'gradient_ratio', {log: true, band: false}))),
    element('h2', {}, 'How it was done'),
    note('Every arm: the same split, order of examples and seeds; weights drawn with the gain computed for its function; gated arms narrowed ' +
      'to the same number of parameters; the learning rate tuned on validation data with the same budget; test data used once, at the end; noise on in training only.'),
    settings(), element('pre', {}, results.environment.command), tip);
}

page();
vegaLibrary = loadVega();
draw();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
