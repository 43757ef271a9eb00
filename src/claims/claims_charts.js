// A measure by arm, or by the condition that the study varied with a line for each arm: means, and every seed as a
// point. Follows claims.js in the same script element.

const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#8c8c00', '#7f7f7f', '#b15928'];
const axisColours = {labelColor: 'var(--soft)', titleColor: 'var(--soft)', domainColor: 'var(--line)',
  tickColor: 'var(--line)', gridColor: 'var(--line)', gridOpacity: 0.6, labelFontSize: 12, titleFontSize: 12,
  titleFontWeight: 'normal', labelLimit: 220};
const shortNumber = value => Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3) ?
    value.toExponential(2) : Number(value.toPrecision(4)).toString();

// Starlike measures ("slope*") draw each of what they stand for.
function chosen(result, settings) {
  return result.observations.filter(each => each.measure === settings.measure && each.value !== null &&
      (!settings.log_y || each.value > 0) && (settings.x === 'arm' || each.at !== null) &&
      (settings.x === 'arm' || !settings.log_x || each.at > 0));
}

function meansOf(values, x) {
  const groups = new Map();
  for (const each of values) {
    const key = JSON.stringify([each.arm, x === 'at' ? each.at : null]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(each.value);
  }
  return [...groups].map(([key, group]) => {
    const [arm, at] = JSON.parse(key);
    const mean = group.reduce((sum, value) => sum + value, 0) / group.length;
    return {arm, at, mean, tooltip: `${arm}${at === null ? '' : `, ${at}`}: ${shortNumber(mean)} (mean of ${group.length})`};
  });
}

function claimChart(result, settings) {
  const values = chosen(result, settings);
  if (!values.length) return null;
  const arms = [...new Set(values.map(each => each.arm))];
  const means = meansOf(values, settings.x).sort((a, b) => a.at - b.at);
  const seeds = values.map(each => ({...each,
    tooltip: `${each.arm}${each.at === null ? '' : `, ${each.at}`}, seed ${each.seed}: ${shortNumber(each.value)}`}));
  const byArm = settings.x === 'arm';
  const continuous = settings.log_x ? 'log' : 'linear';
  const numbers = {name: 'y', type: settings.log_y ? 'log' : 'linear', zero: false, nice: true,
    domain: {fields: [{data: 'seeds', field: 'value'}, {data: 'means', field: 'mean'}]}};
  const conditions = byArm ?
      {name: 'x', type: 'point', domain: arms, padding: 0.5} :
      {name: 'x', type: continuous, zero: false, nice: false, domain: {data: 'seeds', field: 'at'}};
  const place = field => byArm ? {x: {scale: 'y', field}, y: {scale: 'x', field: 'arm'}} :
      {x: {scale: 'x', field: 'at'}, y: {scale: 'y', field}};
  const colour = {scale: 'colour', field: 'arm'};
  const words = result.measures[settings.measure] ?? settings.measure;
  const height = byArm ? 60 + 26 * arms.length : 300;
  return chart(settings.title, width => ({
    $schema: 'https://vega.github.io/schema/vega/v5.json', width, height, padding: 4, background: null,
    autosize: {type: 'fit', contains: 'padding'},
    config: {axis: axisColours, legend: {labelColor: 'var(--soft)', titleColor: 'var(--soft)', labelLimit: 240},
      font: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif'},
    data: [{name: 'seeds', values: seeds}, {name: 'means', values: means}],
    scales: [
      {...conditions, range: byArm ? 'height' : 'width'}, {...numbers, range: byArm ? 'width' : 'height'},
      {name: 'colour', type: 'ordinal', domain: arms, range: palette},
    ],
    axes: [
      {orient: 'bottom', scale: byArm ? 'y' : 'x', grid: true, tickCount: 6, title: byArm ? settings.measure : 'condition',
        labelOverlap: true},
      {orient: 'left', scale: byArm ? 'x' : 'y', grid: !byArm, tickCount: 6, title: byArm ? null : settings.measure},
    ],
    legends: byArm ? [] : [{fill: 'colour', orient: 'bottom', columns: 4, symbolType: 'circle'}],
    marks: [
      ...(byArm ? [] : [{type: 'group', from: {facet: {name: 'line', data: 'means', groupby: 'arm'}},
        marks: [{type: 'line', from: {data: 'line'},
          encode: {update: {...place('mean'), stroke: colour, strokeWidth: {value: 2}}}}]}]),
      {type: 'symbol', from: {data: 'seeds'}, encode: {update: {...place('value'), fill: colour,
        opacity: {value: 0.35}, size: {value: 24}, tooltip: {field: 'tooltip'}}}},
      {type: 'symbol', from: {data: 'means'}, encode: {update: {...place('mean'), fill: colour,
        shape: {value: 'diamond'}, size: {value: 90}, tooltip: {field: 'tooltip'}}}},
    ],
  }), words);
}
