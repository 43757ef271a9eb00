// Maps of layer by step, one for each measure, and the table of layers. Follows monitor_report.js in the same script.

// scale: share (0 to 1), log, signed (about 0), plain (from 0).
const measures = [
  ['z_gradient', 'Gradient', 'log', 'Of the loss by the function\'s input, root mean square. The same from top to bottom: nothing vanishes or explodes.'],
  ['z_deviation', 'Spread of inputs', 'log', 'Deviation of what goes into the function. Growing or shrinking with depth is a matter of initialisation.'],
  ['left', 'Saturated left', 'share', 'Share of inputs on the left where the slope is below 5 % of the function\'s largest.'],
  ['right', 'Saturated right', 'share', 'The same on the right.'],
  ['silent_units', 'Silent units', 'share', 'Share of units whose slope was exactly 0 for every example of the window.'],
  ['update_ratio', 'Size of updates', 'log', 'One step\'s change of the weights in front, over the weights. About 1e-3 is usual.'],
  ['y_gradient', 'Gradient of outputs', 'log', 'Of the loss by the function\'s output, root mean square.'],
  ['z_mean', 'Mean of inputs', 'signed', 'In their own unit.'],
  ['stuck_units', 'Stuck units', 'share', 'Share of units that were saturated, on either side, for at least 95 % of the examples.'],
  ['y_zero', 'Zeros', 'share', 'Share of outputs that are exactly 0.'],
  ['y_mean', 'Mean of outputs', 'signed', 'Far from 0, the next layer\'s weights get gradients of one sign.'],
  ['one_sign', 'Gradients of one sign', 'share', 'How far the gradients of a unit\'s incoming weights share their sign: 1 is all of them.'],
  ['reversal', 'Turning back', 'signed', 'Between two successive updates: 1 is straight back, as when the rate is too high; -1 straight on.'],
  ['drift', 'Drift', 'plain', 'How far the mean of the inputs moved since the window before, in deviations.'],
  ['spread_drift', 'Drift of the spread', 'plain', 'By how many factors of two the deviation changed since the window before.'],
  ['rank', 'Rank of outputs', 'share', 'Directions in use, of those there are (participation ratio).'],
  ['correlation', 'Correlation of units', 'share', 'Mean absolute correlation of two units.'],
  ['weight_gradient', 'Gradient of weights', 'log', 'Of the loss by the weights in front, root mean square.'],
  ['weight', 'Weights', 'log', 'Root mean square.'],
  ['z_skew', 'Skew of inputs', 'signed', '0 is symmetric.'],
  ['z_kurtosis', 'Heavy tails of inputs', 'signed', 'Kurtosis in excess of the normal distribution\'s.'],
  ['noise', 'Noise', 'plain', 'Deviation by noise, over that of the outputs without it.'],
].map(([key, title, scale, text]) => ({key, title, scale, text}));

// Dark is little, bright is much (viridis, at nine places); for signed ones blue is below 0, red above.
const sequential = ['440154', '472d7b', '3b528b', '2c728e', '21918c', '28ae80', '5ec962', 'addc30', 'fde725'];
const diverging = ['2166ac', '4393c3', '92c5de', 'd1e5f0', 'f7f7f7', 'fddbc7', 'f4a582', 'd6604d', 'b2182b'];
const channels = hex => [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16));
function colour(palette, share) {
  const place = Math.min(Math.max(share, 0), 1) * (palette.length - 1);
  const i = Math.min(Math.floor(place), palette.length - 2);
  const a = channels(palette[i]), b = channels(palette[i + 1]);
  return a.map((value, c) => Math.round(value + (b[c] - value) * (place - i)));
}

// From a value to 0..1, and what stands at both ends.
function scaleOf(measure, values) {
  let low = Math.min(...values), high = Math.max(...values);
  if (measure.scale === 'share') return {place: v => v, low: '0', high: '100 %', show: percent, palette: sequential};
  if (measure.scale === 'signed') {
    const most = Math.max(-low, high) || 1;
    return {place: v => 0.5 + v / most / 2, low: number(-most), high: number(most), show: number, palette: diverging};
  }
  if (measure.scale === 'log') {
    const above = values.filter(v => v > 0);
    low = Math.min(...above), high = Math.max(...above);
    // A decade at least, so that what is level looks level.
    const spread = Math.log10(high / low), more = Math.max(0, (1 - spread) / 2);
    const from = Math.log10(low) - more, to = Math.log10(high) + more;
    const place = v => v > 0 ? (Math.log10(v) - from) / (to - from) : 0;
    return {place, low: number(10 ** from), high: number(10 ** to), show: number, palette: sequential};
  }
  return {place: v => v / (high || 1), low: '0', high: number(high), show: number, palette: sequential};
}

const allSteps = layers.flatMap(layer => layer.steps);
const firstStep = allSteps.reduce((a, b) => Math.min(a, b), Infinity);
const lastStep = allSteps.reduce((a, b) => Math.max(a, b), -Infinity);
// The latest window goes on for as long as one lasts on average, or it would have no width.
const oneWindow = Math.max(1, (lastStep - firstStep) / Math.max(1, ...layers.map(layer => layer.steps.length - 1)));
const endStep = lastStep + oneWindow;

// The index of the window that a step lies in; -1 before the first.
function windowAt(layer, step) {
  let low = 0, high = layer.steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (layer.steps[middle] <= step)
      low = middle + 1;
    else
      high = middle;
  }
  return low - 1;
}

const namesWidth = Math.min(130, 8 + 6 * Math.max(0, ...layers.map(layer => shortName(layer).length)));

function labels(rows, rowHeight) {
  const names = element('div', {class: 'names', style: `height:${rows.length * rowHeight}px`});
  const every = rowHeight >= 12 ? 1 : Math.ceil(16 / rowHeight);
  rows.forEach((layer, i) => {
    if (i % every) return;
    names.append(element(
        'span', {style: `top:${i * rowHeight + (every === 1 ? (rowHeight - 12) / 2 : 0)}px`, title: layer.name},
        shortName(layer)));
  });
  return names;
}

function heatMap(measure) {
  const rows = layers.filter(layer => layer.measures[measure.key]);
  const values = rows.flatMap(layer => layer.measures[measure.key]).filter(v => v !== null);
  const scale = scaleOf(measure, [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b)),
    ...(measure.scale === 'log' ? [values.reduce((a, b) => b > 0 && b < a ? b : a, Infinity)] : [])]);
  const width = Math.min(512, Math.max(64, ...rows.map(layer => 4 * layer.steps.length)));
  const rowHeight = Math.min(22, Math.max(2, Math.floor(320 / rows.length)));
  const canvas = element('canvas', {width, height: rows.length, role: 'img', 'aria-label': `${measure.title}, layer by step`});
  canvas.style.height = `${rows.length * rowHeight}px`;
  canvas.style.imageRendering = 'pixelated';
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, rows.length);
  const stepAt = share => firstStep + share * (endStep - firstStep);
  rows.forEach((layer, row) => {
    const own = layer.measures[measure.key];
    for (let x = 0; x < width; ++x) {
      const at = windowAt(layer, stepAt(x / width));
      if (at < 0 || own[at] === null) continue;
      const [r, g, b] = colour(scale.palette, scale.place(own[at]));
      image.data.set([r, g, b, 255], 4 * (row * width + x));
    }
  });
  context.putImageData(image, 0, 0);
  canvas.addEventListener('mousemove', event => {
    const box = canvas.getBoundingClientRect();
    const layer = rows[Math.min(rows.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / rowHeight)))];
    const at = windowAt(layer, stepAt((event.clientX - box.left) / box.width));
    if (at < 0) return hideTip();
    const name = layer.function ? `${layer.name} (${layer.function})` : layer.name;
    showTip(event, `${name}\nstep ${count(layer.steps[at])}: ${scale.show(layer.measures[measure.key][at])}`);
  });
  canvas.addEventListener('mouseleave', hideTip);
  const ramp = scale.palette.map(hex => `#${hex}`).join(',');
  return element(
      'div', {class: 'map'}, element('h3', {}, measure.title), note(measure.text),
      element(
          'div', {class: 'frame', style: `grid-template-columns:${namesWidth}px minmax(0, 1fr)`}, labels(rows, rowHeight), canvas,
          element(
              'div', {class: 'axis'}, element('span', {}, `step ${count(firstStep)}`),
              element('span', {}, count(Math.round((firstStep + lastStep) / 2))), element('span', {}, count(lastStep))),
          element(
              'div', {class: 'key'}, scale.low, element('i', {style: `background:linear-gradient(to right,${ramp})`}),
              scale.high)));
}

function heatMaps() {
  const zero = [], little = [], worth = [];
  for (const measure of measures) {
    const values = layers.flatMap(layer => layer.measures[measure.key] ?? []).filter(v => v !== null);
    if (!values.length) continue;
    const most = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    if (most === 0) zero.push(measure);
    else if (measure.scale === 'share' && most < 0.005) little.push(`${measure.title.toLowerCase()} ${percent(most)}`);
    else worth.push(measure);
  }
  const out = [element('h2', {}, 'Layers over time')];
  if (!worth.length) return [...out, note('No window was observed.')];
  out.push(
      note('Layers from the input (top) to the output, steps from left to right. Point at a place for its number.'),
      element('div', {class: 'maps'}, ...worth.slice(0, 6).map(heatMap)));
  if (zero.length) out.push(note(`Zero everywhere: ${zero.map(m => m.title.toLowerCase()).join(', ')}.`));
  if (little.length) out.push(note(`At most, anywhere: ${little.join(', ')}.`));
  if (worth.length > 6) {
    const more = element('details', {class: 'more'}, element('summary', {}, `${worth.length - 6} more measures`));
    // Drawn when asked for.
    more.addEventListener('toggle', () => more.append(element('div', {class: 'maps'}, ...worth.slice(6).map(heatMap))), {once: true});
    if (location.hash === '#all') more.open = true;
    out.push(more);
  }
  return out;
}

// --- The table ------------------------------------------------------------------------------------------------------
const latestOf = (layer, key) => layer.measures[key]?.at(-1) ?? null;
const tableColumns = [
  ['layer', layer => layer.name, String], ['function', layer => layer.function || layer.op, String],
  ['units', layer => layer.units || null, v => v === null ? '–' : count(v)],
  ['fan in', layer => layer.fan_in || null, v => v === null ? '–' : count(v)],
  ...[['z mean', 'z_mean', number], ['z dev', 'z_deviation', number], ['saturated left', 'left', percent],
      ['saturated right', 'right', percent], ['stuck units', 'stuck_units', percent], ['silent units', 'silent_units', percent]]
      .map(([title, key, show]) => [title, layer => latestOf(layer, key), show]),
  ['never active', layer => layer.never_active ?? null, percent],
  ...[['gradient', 'z_gradient', number], ['weights', 'weight', number], ['update', 'update_ratio', number],
      ['rank', 'rank', number], ['correlation', 'correlation', number], ['drift', 'drift', number]]
      .map(([title, key, show]) => [title, layer => latestOf(layer, key), show]),
].map(([title, value, show]) => ({title, value, show}));

function layerTable() {
  const used = tableColumns.filter((column, i) => i < 2 || layers.some(layer => column.value(layer) !== null));
  const body = element('tbody');
  const fill = rows => body.replaceChildren(...rows.map(
      layer => element('tr', {class: marks[layer.name] ?? ''},
                       ...used.map(column => element('td', {}, column.show(column.value(layer)))))));
  const heads = used.map(column => {
    const head = element('th', {scope: 'col', tabindex: '0', title: 'sort'}, column.title);
    const sort = () => {
      const down = head.getAttribute('aria-sort') !== 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const rank = layer => column.value(layer) ?? -Infinity;
      const rows = [...layers].sort((a, b) => rank(a) < rank(b) ? 1 : rank(a) > rank(b) ? -1 : 0);
      fill(down ? rows : rows.reverse());
    };
    head.onclick = sort;
    head.onkeydown = event => event.key === 'Enter' && sort();
    return head;
  });
  fill(layers);
  return element(
      'div', {class: 'scroll layers'}, element('table', {}, element('thead', {}, element('tr', {}, ...heads)), body));
}

function facts() {
  const list = element('dl');
  const add = (name, value) => value && list.append(element('dt', {}, name), element('dd', {}, value));
  add('steps', `${count(record.steps)}, of which ${count(record.observed_steps)} observed`);
  add('time', record.seconds > 0 ?
      `${record.seconds.toFixed(1)} s, of which observing took ${percent((record.own_seconds ?? 0) / record.seconds)}` : '');
  add('optimiser', record.optimiser);
  add('learning rate', record.learning_rate === null ? '' : String(record.learning_rate));
  add('normalisation', record.normalised ? 'seen' : 'none seen');
  add('residual connections', record.residual ? 'seen' : 'none seen');
  return list;
}

function page() {
  const bad = findings.filter(f => f.severity !== 'note'), notes = findings.filter(f => f.severity === 'note');
  const out = document.getElementById('page');
  out.append(
      element('h1', {}, bad.length ? `${plural(bad.length, 'finding')} in ${data.title}` : `Nothing wrong found in ${data.title}`),
      element('p', {class: 'under'}, `${plural(layers.length, 'layer')} seen in ${plural(record.steps, 'step')}.`));
  if (!bad.length && layers.length)
    out.append(element('div', {class: 'answer'}, element('p', {}, 'Every rule was asked, and none objects.')));
  out.append(...bad.map(findingCard), ...notes.map(findingCard));
  if (record.non_finite.length)
    out.append(element('h2', {}, 'Numbers that are none'), element('ul', {}, ...record.non_finite.map(nonFinite)));
  const remarks = [...data.remarks, ...record.notes];
  if (remarks.length) out.append(element('ul', {class: 'note'}, ...remarks.map(line => element('li', {}, line))));
  out.append(...[lossCurve()].filter(Boolean));
  if (layers.length)
    out.append(
        ...heatMaps(), element('h2', {}, 'Layers'),
        note('The latest window. Click a column to sort by it. z: what goes into the function.'), layerTable());
  out.append(element('h2', {}, 'How it was observed'), facts());
  if (data.command) out.append(element('pre', {}, data.command));
  out.append(tip);
}

page();
