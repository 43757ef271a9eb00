// One arm, layer by layer, over time: the gradient's norm and what goes into the activation, as maps.

let armInMaps = results.recommendation.arm ?? (arms[0] || {}).activation;
const byLayerOf = () => (arms.find(arm => arm.activation === armInMaps) || {}).by_layer || {epochs: [], layers: [], gradients: [], histograms: []};

function byLayer() {
  const drawable = arms.filter(arm => arm.by_layer && arm.by_layer.epochs.length);
  if (!drawable.length) return [];
  const choice = element('select', {id: 'arm'}, ...drawable.map(arm => element('option', {}, arm.activation)));
  if (!drawable.some(arm => arm.activation === armInMaps)) armInMaps = drawable[0].activation;
  choice.value = armInMaps;
  choice.onchange = () => (armInMaps = choice.value, draw());
  return [
    element('h2', {}, 'Layer by layer, over time'),
    element('p', {class: 'note'}, element('label', {for: 'arm'}, 'Activation: '), choice),
    element('div', {class: 'charts'},
      chart('Norm of the loss\'s gradient at each activation', gradientMap, 'Geometric mean over seeds, on the same training examples, noise off.'),
      chart('What goes into each activation', histogramMap, 'Shares of values, in the run of seed 1; the outermost bins hold what lies beyond.'))
  ];
}

const mapColours = () => matchMedia('(prefers-color-scheme: dark)').matches ?
    ['#1a2026', '#24506b', '#4f9bbf', '#e3f3fb'] :
    ['#f1f5f8', '#9cc4d6', '#3d7ea6', '#16324a'];

function gradientMap(width) {
  const {epochs, layers, gradients} = byLayerOf();
  const cells = [];
  gradients.forEach((row, e) => row.forEach((value, l) => value !== null && cells.push({
    epoch: epochs[e],
    layer: layers[l],
    value: Math.max(value, 1e-12),
    tip: `epoch ${epochs[e]}, layer ${layers[l]}\nnorm ${value.toExponential(1)}`
  })));
  let [low, high] = domainOf(cells.map(cell => cell.value), true);
  if (!(high > low)) low = high / 10;
  return {
    ...base(width, 60 + 24 * Math.max(3, layers.length) + 60),
    data: [{name: 'cells', values: cells}],
    scales: [
      {name: 'x', type: 'band', domain: epochs, range: 'width', padding: 0.04},
      {name: 'y', type: 'band', domain: layers, range: 'height', padding: 0.06},
      {name: 'shade', type: 'log', domain: [low, high], range: mapColours(), interpolate: 'rgb', clamp: true}
    ],
    axes: [
      {orient: 'bottom', scale: 'x', title: 'epoch', labelOverlap: true, domain: false, ticks: false},
      {orient: 'left', scale: 'y', title: 'layer', domain: false, ticks: false}
    ],
    legends: [{fill: 'shade', orient: 'top', direction: 'horizontal', gradientLength: Math.min(220, width - 60),
      values: logTicks([low, high]).slice(0, 6), format: logFormat([low, high])}],
    marks: [{
      type: 'rect',
      from: {data: 'cells'},
      encode: {update: {
        x: {scale: 'x', field: 'epoch'},
        width: {scale: 'x', band: 1},
        y: {scale: 'y', field: 'layer'},
        height: {scale: 'y', band: 1},
        fill: {scale: 'shade', field: 'value'},
        tooltip: {field: 'tip'}
      }}
    }]
  };
}

// A column for each epoch, value by value, in a band for each layer. At most seven layers.
function histogramMap(width) {
  const {epochs, layers, histograms, low, high} = byLayerOf();
  const chosen = layers.map((layer, i) => i).filter((i, _, all) => all.length <= 6 || i % Math.ceil(all.length / 6) === 0 || i === all.length - 1);
  const filled = histograms.some(row => row.length);
  const rows = [];
  let top = 1;
  if (filled)
    histograms.forEach((layersAt, e) => chosen.forEach(l => (layersAt[l] || []).forEach((share, bin, all) => {
      top = Math.max(top, share);
      const step = (high - low) / all.length, at = low + bin * step;
      rows.push({
        epoch: epochs[e], layer: layers[l], from: at, share,
        tip: `layer ${layers[l]}, epoch ${epochs[e]}\n${at} to ${at + step}: ${(share / 10).toFixed(1)} %`
      });
    })));
  const height = 70;
  return {
    ...base(width, 60 + height * chosen.length),
    data: [{name: 'rows', values: rows}, {name: 'empty', values: filled ? [] : [{}]}],
    scales: [
      {name: 'x', type: 'band', domain: epochs, range: 'width', padding: 0.04},
      {name: 'layer', type: 'band', domain: chosen.map(l => layers[l]), range: 'height', padding: 0.12},
      {name: 'shade', type: 'sqrt', domain: [0, top], range: mapColours(), interpolate: 'rgb'}
    ],
    axes: [{orient: 'bottom', scale: 'x', title: 'epoch', labelOverlap: true, domain: false, ticks: false},
      {orient: 'left', scale: 'layer', title: 'layer', domain: false, ticks: false}],
    marks: [
      {
        type: 'group',
        from: {facet: {name: 'one', data: 'rows', groupby: 'layer'}},
        encode: {update: {
          y: {scale: 'layer', field: 'layer'},
          height: {scale: 'layer', band: 1},
          width: {signal: 'width'}
        }},
        signals: [{name: 'height', update: 'bandwidth("layer")'}],
        scales: [{name: 'value', type: 'linear', domain: [low ?? 0, high ?? 1], range: [{signal: 'height'}, 0]}],
        axes: [{orient: 'right', scale: 'value', values: [-4, 0, 4], domain: false, ticks: false, labelFontSize: 10}],
        marks: [{
          type: 'rect',
          from: {data: 'one'},
          encode: {update: {
            x: {scale: 'x', field: 'epoch'},
            width: {scale: 'x', band: 1},
            y: {signal: `scale('value', datum.from + ${((high - low) / 48) || 1})`},
            y2: {signal: 'scale(\'value\', datum.from)'},
            fill: {scale: 'shade', field: 'share'},
            tooltip: {field: 'tip'}
          }}
        }]
      },
      {type: 'text', from: {data: 'empty'}, encode: {update: {x: {signal: 'width/2'}, y: {signal: 'height/2'},
        align: {value: 'center'}, fill: {value: css('--soft')}, text: {value: 'not measured'}}}}
    ]
  };
}
