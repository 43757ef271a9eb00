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
  for (const name of ['vega-transforms', 'vega-view-transforms', 'vega-encode'])
    Object.assign(transforms, require(name));
  return Object.assign(
      {}, ...names.map(require), {View: require('vega-view').View, parse: require('vega-parser').parse});
}

const classification = results.metric === 'error';
const scale = classification ? 100 : 1;
const metricName = classification ? 'error (%)' : results.metric;
const arms = results.arms;
// Told apart in both light and dark, and by most who see colours differently.
const palette =
    ['#d1495b', '#3d7ea6', '#e08e1b', '#4c9f70', '#8963ba', '#8c6d46', '#17a2b8', '#d16ba5', '#8a9a1e', '#7f8c97'];
const colourOf = Object.fromEntries(arms.map((arm, i) => [arm.activation, palette[i % palette.length]]));
const shown = new Set(arms.map(arm => arm.activation));

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const swatch = name => element('span', {class: 'swatch', style: `background:${colourOf[name]}`});
const fixed = (value, digits, factor = 1) =>
    value === null || value === undefined ? '–' : (value * factor).toFixed(digits);
const brief = value => value === null || value === undefined ?
    '–' :
    Number(value.toPrecision(2)).toExponential(1).replace('e+0', '').replace(/^(.*)e0$/, '$1');
const showError = value => value === null ? '–' :
    classification                        ? (100 * value).toFixed(2) :
                                            Number(value.toPrecision(4)).toString();

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
  const head = [
    'activation', classification ? 'test error %' : `test ${results.metric}`, '95 % interval', 'loss', 'ms/step', 'parameters',
    'dead %', 'saturated %', 'gradient first/last', 'learning rate', 'beside the lowest'
  ];
  const body = arms.map(arm => {
    const error = arm.test_error;
    const cells = [
      null, showError(error.mean), error.low === null ? '' : `${showError(error.low)} – ${showError(error.high)}`,
      fixed(arm.test_loss, 3), fixed(arm.ms_per_step, 2), arm.parameters.toLocaleString('en'), fixed(arm.dead, 1, 100),
      fixed(arm.saturated, 1, 100), brief(arm.gradient_ratio.start), arm.learning_rate ?? '–', verdict(arm)
    ];
    const usable =
        ['lowest', 'no difference seen', 'probably worse', 'worse', 'one seed: unknown'].includes(arm.verdict);
    const kind = arm.activation === results.recommendation.arm ? 'chosen' : usable ? '' : 'lost';
    const row = element('tr', {class: kind}, ...cells.map(cell => element('td', {}, String(cell ?? ''))));
    row.firstChild.append(swatch(arm.activation), arm.activation);
    row.title = arm.formula;
    return row;
  });
  return element(
      'div', {class: 'scroll'},
      element(
          'table', {}, element('thead', {}, element('tr', {}, ...head.map(name => element('th', {}, name)))),
          element('tbody', {}, ...body)));
}

function verdict(arm) {
  const against = arm.against_best;
  if (!against || against.low === null) return arm.verdict;
  const sign = against.difference >= 0 ? '+' : '−';
  return `${arm.verdict} (${sign}${showError(Math.abs(against.difference))}, p ${against.p_sign_flip.toPrecision(2)})`;
}

function settings() {
  const list = element('dl');
  for (const [name, value] of Object.entries(results.experiment))
    list.append(
        element('dt', {}, name),
        element(
            'dd', {},
            Array.isArray(value) ?
                value.join(', ') :
                typeof value === 'object' ?
                Object.entries(value).map(([k, v]) => `${k} ${Array.isArray(v) ? v.join(', ') : v}`).join('; ') :
                String(value)));
  for (const [name, value] of Object.entries(results.environment))
    if (name !== 'command')
      list.append(element('dt', {}, name), element('dd', {}, typeof value === 'number' ? value.toFixed(1) : value));
  return list;
}

function page() {
  const data = results.data, experiment = results.experiment;
  const note = (...text) => element('p', {class: 'note'}, ...text);
  const out = document.getElementById('page');
  out.append(
      element('h1', {}, `Which activation for ${data.name}?`),
      element(
          'p', {class: 'under'},
          `${data.goal}: ${data.train.toLocaleString('en')} examples to train, ${
              data.validation.toLocaleString('en')} to validate, ` +
              `${data.test.toLocaleString('en')} to test. ${experiment.model}${
                  experiment.depth ? `, depth ${experiment.depth}, width ${experiment.width}` : ''}; ` +
              `${experiment.epochs} epochs, ${experiment.seeds} seed${experiment.seeds === 1 ? '' : 's'} for each of ${
                  arms.length} arms.`),
      answer(), table(),
      note(
          'The interval covers the noise of seeds (first weights, order of the data), not of another split. ' +
          `p: sign-flip permutation test of the paired differences, before correction; with ${experiment.seeds} seed${
              experiment.seeds === 1 ? '' : 's'} it cannot be less than ` +
          `${
              Number(results.statistics.smallest_sign_flip_p.toPrecision(
                  2))}. Dead: units with slope 0 for every training example. ` +
          'Saturated: share of slopes below 5 % of the largest. ' +
          'Gradient first/last: norms of the loss gradient at the first and last activation, at initialisation.'));
  const watched = arms.flatMap(arm => (arm.watched || []).map(finding => [arm, finding]));
  if (watched.length) {
    out.append(element('h2', {}, 'What the monitor saw in training'));
    out.append(element('ul', {class: 'watched'}, ...watched.map(([arm, finding]) => element('li', {},
        swatch(arm.activation), element('b', {}, arm.activation), `, ${finding.runs} of ${finding.of} runs: `,
        element('b', {}, finding.rule.replaceAll('_', ' ')), `. ${finding.evidence}. ${finding.advice}`))));
  }
  if (results.remarks.length)
    out.append(element('ul', {class: 'note'}, ...results.remarks.map(line => element('li', {}, line))));
  out.append(
      element('h2', {}, 'Final errors'), chart(finals), element('h2', {}, 'Learning'),
      note('Means over seeds with 95 % intervals. Click an arm to hide or show it.'), legend(),
      element(
          'div', {class: 'charts'}, chart(() => curves('Training loss', 'loss', 'train_loss', {log: true})),
          chart(() => curves(`Validation ${metricName}`, metricName, 'validation_error', {factor: scale, log: true}))),
      element('h2', {}, 'Gradients'),
      note(
          'The norm of the loss gradient with respect to what goes into each activation, ' +
          'on the same training examples for every arm.'),
      element(
          'div', {class: 'charts'}, chart(() => gradients('At initialisation', 'start')),
          chart(() => gradients('After training', 'end')),
          chart(
              () => curves(
                  'First layer over last, during training', 'ratio', 'gradient_ratio', {log: true, band: false}))),
      element('h2', {}, 'How it was done'),
      note(
          'Every arm: the same split, order of examples and seeds; weights drawn with the gain computed for its ' +
          'function; gated arms narrowed to the same number of parameters; the learning rate tuned on validation ' +
          'data with the same budget; test data used once, at the end; noise on in training only.'),
      settings(), element('pre', {}, results.environment.command), tip);
}
