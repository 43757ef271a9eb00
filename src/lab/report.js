'use strict';
// Draws the page from results.json (the element `data`): the answer, the tables; the charts are in the files that
// follow in the same script element.

const results = JSON.parse(document.getElementById('data').textContent);
const share = results.share;  // the metric is shown in per cent
const scale = share ? 100 : 1;
const metricName = share ? `${results.metric} (%)` : results.metric;
const usable = arm => ['lowest', 'no difference seen', 'probably worse', 'worse', 'one seed: unknown'].includes(arm.verdict);

// By merit: what can be used first, the lowest error first.
const arms = [...results.arms].sort((a, b) => usable(b) - usable(a) || (a.test_error.mean ?? 9e9) - (b.test_error.mean ?? 9e9));
// Told apart in both light and dark, and by most who see colours differently.
const palette =
    ['#d1495b', '#3d7ea6', '#e08e1b', '#4c9f70', '#8963ba', '#8c6d46', '#17a2b8', '#d16ba5', '#8a9a1e', '#7f8c97'];
const colourOf = Object.fromEntries(arms.map((arm, i) => [arm.activation, palette[i % palette.length]]));
// As many as there are colours; the others on request.
const shown = new Set(arms.slice(0, palette.length).map(arm => arm.activation));
if (results.recommendation.arm) shown.add(results.recommendation.arm);

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const swatch = name => element('span', {class: 'swatch', style: `background:${colourOf[name]}`, 'aria-hidden': 'true'});
const missing = value => value === null || value === undefined;
const fixed = (value, digits, factor = 1) => missing(value) ? '–' : (value * factor).toFixed(digits);
const brief = value =>
    missing(value) ? '–' : Number(value.toPrecision(2)).toExponential(1).replace('e+0', '').replace(/^(.*)e0$/, '$1');
const showError = value =>
    missing(value) ? '–' : share ? (100 * value).toFixed(2) : Number(value.toPrecision(4)).toString();
const showChange = value => missing(value) ? '–' : (value >= 0 ? '+' : '−') + showError(Math.abs(value));
const showRange = (low, high, show = showError) => missing(low) ? '' : `${show(low)} to ${show(high)}`;
const note = (...text) => element('p', {class: 'note'}, ...text);

function answer() {
  const text = results.recommendation.text;
  const split = text.indexOf('. How sure');
  const parts = split < 0 ? [text] : [text.slice(0, split + 1), text.slice(split + 2)];
  const box = element('div', {class: 'answer'}, ...parts.map(part => element('p', {}, part)));
  if (!results.complete)
    box.prepend(element('p', {}, element('b', {}, `So far: ${results.runs_done} of ${results.runs_wanted} runs. `)));
  return box;
}

// A table whose columns sort it. Columns: [head, what a cell shows, what it sorts by, explanation]. Long ones fold.
function sortable(columns, rowClass) {
  let order = [...arms], by = null, down = false, all = arms.length <= 30;
  const body = element('tbody');
  const heads = columns.map(([head, , , why], i) => {
    const button = element('button', {type: 'button'}, head);
    button.onclick = () => {
      down = by === i && !down;
      by = i;
      const key = arm => columns[i][2](arm) ?? Infinity;
      order = [...arms].sort((a, b) => {
        const x = key(a), y = key(b);
        return (typeof x === 'string' ? x.localeCompare(y) : x - y) * (down ? -1 : 1);
      });
      heads.forEach((head, j) => head.setAttribute('aria-sort', j !== i ? 'none' : down ? 'descending' : 'ascending'));
      fill();
    };
    return element('th', {scope: 'col', 'aria-sort': 'none', ...(why ? {title: why} : {})}, button);
  });
  const fill = () => body.replaceChildren(...(all ? order : order.slice(0, 20)).map(arm => {
    const row = element('tr', {class: rowClass(arm)});
    columns.forEach(([, show], i) => {
      const content = show(arm);
      row.append(element(i ? 'td' : 'th', i ? {} : {scope: 'row'}, ...(Array.isArray(content) ? content : [content])));
    });
    return row;
  }));
  fill();
  const box = element(
      'div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'table of all arms'},
      element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body));
  if (all) return box;
  const more = element('button', {type: 'button', class: 'plain'}, `Show all ${arms.length} arms`);
  more.onclick = () => (all = true, fill(), more.remove());
  return element('div', {}, box, more);
}

const nameCell = ['activation', arm => [swatch(arm.activation), arm.activation], arm => arm.activation];
const rowClass = arm => arm.activation === results.recommendation.arm ? 'chosen' : usable(arm) ? '' : 'lost';

function qualityTable() {
  const against = (arm, field) => arm.against_best ? arm.against_best[field] : null;
  return sortable([
    nameCell,
    [`test ${results.metric}${share ? ' %' : ''}`, arm => showError(arm.test_error.mean), arm => arm.test_error.mean],
    ['95 % interval', arm => showRange(arm.test_error.low, arm.test_error.high), arm => arm.test_error.low,
      'Student\'s t over seeds'],
    ['to the lowest', arm => showChange(against(arm, 'difference')), arm => against(arm, 'difference'),
      'mean of the differences, paired by seed'],
    ['its 95 %', arm => showRange(against(arm, 'low'), against(arm, 'high'), showChange), arm => against(arm, 'low'),
      'for all arms together, whichever came out lowest'],
    ['best with probability', arm => fixed(arm.probability_best, 2), arm => -(arm.probability_best ?? -1)],
    ['ms/step', arm => fixed(arm.ms_per_step, 2), arm => arm.ms_per_step],
    ['MiB', arm => fixed(arm.memory_mib, 2), arm => arm.memory_mib, 'that a training step needs at its peak'],
    ['dead %', arm => fixed(arm.dead, 1, 100), arm => arm.dead, 'units with slope 0 for every training example'],
    ['saturated %', arm => fixed(arm.saturated, 1, 100), arm => arm.saturated, 'slopes below 5 % of the largest'],
    ['verdict', arm => arm.verdict + (arm.stopped_after_seeds ? ` (${arm.stopped_after_seeds} seeds)` : ''),
      arm => arm.verdict]
  ], rowClass);
}

function statisticsTable() {
  const against = field => arm => arm.against_best ? arm.against_best[field] : null;
  const p = field => [arm => missing(against(field)(arm)) ? '–' : Number(against(field)(arm).toPrecision(2)).toString(), against(field)];
  return sortable([
    nameCell,
    ['BCa interval', arm => showRange(...(arm.test_error.bca || [null, null])), arm => (arm.test_error.bca || [null])[0]],
    ['this pair alone, 95 %', arm => showRange(...(against('alone')(arm) || [null, null]), showChange),
      arm => (against('alone')(arm) || [null])[0]],
    ['effect size', arm => fixed(against('effect')(arm), 2), against('effect')],
    ['its 95 %', arm => showRange(...(against('effect_interval')(arm) || [null, null]), v => fixed(v, 2)),
      arm => (against('effect_interval')(arm) || [null])[0]],
    ['p, paired t', ...p('p_t')], ['corrected for choosing the lowest', ...p('p_t_lowest')], ['Holm', ...p('p_t_holm')],
    ['p, sign flips', ...p('p_sign_flip')], ['Holm, all pairs', ...p('p_sign_flip_holm')]
  ], rowClass);
}

function costTable() {
  const steps = results.experiment.steps;
  return sortable([
    nameCell,
    ['ms a step', arm => fixed(arm.ms_per_step, 3), arm => arm.ms_per_step],
    [`s for ${steps} steps`, arm => fixed(arm.ms_per_step, 1, steps / 1000), arm => arm.ms_per_step],
    ['s for all its runs', arm => fixed(arm.seconds, 1), arm => arm.seconds, 'tuning included, measurements too'],
    ['MiB a step', arm => fixed(arm.memory_mib, 3), arm => arm.memory_mib],
    ['parameters', arm => arm.parameters.toLocaleString('en'), arm => arm.parameters],
    ['learning rate', arm => String(arm.learning_rate ?? '–'), arm => arm.learning_rate],
    ['finished', arm => String(arm.seeds_finished), arm => arm.seeds_finished],
    ['diverged', arm => String(arm.seeds_diverged), arm => arm.seeds_diverged],
    ['failed', arm => String(arm.seeds_failed), arm => arm.seeds_failed]
  ], rowClass);
}

// Short lists lie open, long ones are folded.
function folded(title, items) {
  const list = element('ul', {}, ...items);
  if (items.length <= 12) return [element('h2', {}, title), list];
  return [
    element('h2', {}, title),
    element('details', {}, element('summary', {}, `${items.length} findings`), list)
  ];
}

function watched() {
  const items = arms.flatMap(arm => (arm.watched || []).map(finding => element(
      'li', {}, swatch(arm.activation), element('b', {}, arm.activation), `, ${finding.runs} of ${finding.of} runs: `,
      element('b', {}, finding.rule.replaceAll('_', ' ')), `. ${finding.evidence}. ${finding.advice}`)));
  return items.length ? folded('What the monitor saw in training', items) :
                        [element('h2', {}, 'What the monitor saw in training'), note('Nothing that hurts.')];
}

function settings() {
  const list = element('dl');
  const words = value => Array.isArray(value) ? value.map(words).join(', ') :
      value !== null && typeof value === 'object' ?
      Object.entries(value).map(([k, v]) => `${k} ${words(v)}`).join('; ') : String(value);
  for (const [name, value] of Object.entries(results.experiment))
    list.append(element('dt', {}, name.replaceAll('_', ' ')), element('dd', {}, words(value)));
  for (const [name, value] of Object.entries(results.environment))
    if (name !== 'command')
      list.append(element('dt', {}, name), element('dd', {}, typeof value === 'number' ? String(+value.toFixed(1)) : value));
  return list;
}

function page() {
  const data = results.data, experiment = results.experiment, count = n => n.toLocaleString('en');
  const seeds = `${experiment.seeds} seed${experiment.seeds === 1 ? '' : 's'}`;
  const rules = results.recommendation.rules || [];
  document.getElementById('page').append(
      element('h1', {}, `Which activation for ${data.name}?`),
      element(
          'p', {class: 'under'},
          `${data.goal}: ${count(data.train)} examples to train, ${count(data.validation)} to validate, ` +
              `${count(data.test)} to test. ${experiment.model}${
                 experiment.depth ? `, depth ${experiment.depth}, width ${experiment.width}` : ''}; ` +
              `${experiment.epochs} epochs, ${seeds} for each of ${arms.length} arms.`),
      answer(), qualityTable(),
      note(
          'Intervals cover the noise of seeds (first weights, order of the data), not of another split. Differences to ' +
          'the lowest are paired by seed, and their intervals hold for all arms together, whichever came out lowest. ' +
          'A head sorts the table.'),
      ...(results.remarks.length ? [element('ul', {class: 'note'}, ...results.remarks.map(line => element('li', {}, line)))] : []),
      element('h2', {}, 'How the arms differ'),
      element(
          'div', {class: 'charts'},
          chart('Differences to the lowest, paired by seed', differences,
            'Points: seeds. Broad bar: 95 % for all arms together; line: for this pair alone.'),
          chart(`Test ${metricName}: each seed, the mean and its 95 % interval`, finals)),
      element('details', {}, element('summary', {}, 'Tests and effect sizes'), statisticsTable(),
        note(`Sign flips: exact permutation test of the paired differences; ${seeds} cannot show less than p = ${
          Number((results.statistics.smallest_sign_flip_p ?? 1).toPrecision(2))}. Effect size: mean difference over the ` +
          'deviation of the differences, with Hedges\' correction. ' +
          `“Worse”: ${results.statistics.worse}. “Probably worse”: ${results.statistics['probably worse']}.`)),
      ...(rules.length ? [
        element('h2', {}, 'What the rules of thumb say, and what these runs show of them'),
        element('dl', {class: 'rules'}, ...rules.flatMap(each => [element('dt', {}, each.rule), element('dd', {}, each.text)]))
      ] : []),
      element('h2', {}, 'What quality costs'),
      element('div', {class: 'charts'},
        chart(`Test ${results.metric} against time`, width => pareto(width, 'ms_per_step', 'ms a step'),
          'The line joins the arms that no other beats in both.'),
        chart(`Test ${results.metric} against memory`, width => pareto(width, 'memory_mib', 'MiB a step'))),
      element('details', {}, element('summary', {}, 'What each arm cost'), costTable()),
      element('h2', {}, 'Learning'), note('Means over seeds with 95 % intervals.'), legend(),
      element(
          'div', {class: 'charts'},
          chart('Training loss', width => curves(width, 'loss', 'train_loss', {log: true})),
          chart(`Validation ${metricName}`, width => curves(width, metricName, 'validation_error', {factor: scale, log: true})),
          chart('Gradient along the network, at initialisation', width => gradients(width, 'start')),
          chart('Gradient along the network, after training', width => gradients(width, 'end')),
          ...scheduledAttributes().map(name => chart(name === 'level' ? 'Level of the curriculum' : `${name}, on its schedule`,
            width => curves(width, name, point => point.scheduled?.[name]))),
          chart('Gradient, first layer over last', width => curves(width, 'ratio', 'gradient_ratio', {log: true, band: false}))),
      ...byLayer(), ...watched(),
      element('h2', {}, 'How it was done'),
      note(
          'Every arm: the same split, order of examples and seeds; weights drawn with the gain computed for its ' +
          'function; gated arms narrowed to the same number of parameters; the learning rate tuned on validation ' +
          'data with the same budget; test data used once, at the end; noise on in training only.'),
      settings(), element('h2', {}, 'How to reproduce it'), element('pre', {tabindex: '0'}, results.environment.command),
      note('In the same folder the same command goes on from what results.db holds; elsewhere it starts anew.'), tip);
}
