// The charts of learning and final errors, as Vega specifications for a given width. Follows report.js in the same script
// element.

// Colours by name, so that the drawn charts follow the page into the dark and onto paper.
const css = name => `var(${name})`;

function config() {
  const soft = css('--soft'), line = css('--line');
  return {
    background: null,
    axis: {
      labelColor: soft,
      titleColor: soft,
      domainColor: line,
      tickColor: line,
      gridColor: line,
      gridOpacity: 0.6,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 'normal',
      labelLimit: 200
    },
    legend: {labelColor: soft, titleColor: soft},
    font: 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif',
  };
}

// The whole chart, axes included, is `width` by `height`.
const base = (width, height) => ({
  $schema: 'https://vega.github.io/schema/vega/v5.json',
  width,
  height,
  padding: 4,
  config: config(),
  autosize: {type: 'fit', contains: 'padding'},
});
const colourScale = {
  name: 'colour',
  type: 'ordinal',
  domain: arms.map(a => a.activation),
  range: arms.map(a => colourOf[a.activation])
};

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
const logFormat = domain => domain[0] < 1e-3 || domain[1] > 1e4 ? '.0~e' : '.4~r';

function domainOf(values, log) {
  const fine = values.filter(v => v !== null && isFinite(v) && (!log || v > 0));
  return fine.length ? [Math.min(...fine), Math.max(...fine)] : [log ? 0.1 : 0, 1];
}

// Attributes of activations that follow a schedule in any arm, and the level of a curriculum.
function scheduledAttributes() {
  return [...new Set(arms.flatMap(arm => arm.curve.flatMap(point => Object.keys(point.scheduled ?? {}))))];
}

// Lines with bands, one for each arm, over epochs. `field`: its name, or what gives its value for a point.
function curves(width, yTitle, field, {log = false, factor = 1, band = true} = {}) {
  const rows = [];
  for (const arm of arms) {
    if (!shown.has(arm.activation)) continue;
    for (const point of arm.curve) {
      const value = typeof field === 'function' ? field(point) : point[field];
      if (value === undefined) continue;
      const mean = value !== null && typeof value === 'object' ? value.mean : value;
      if (mean === null || (log && mean <= 0)) continue;
      const low = value.low ?? mean, high = value.high ?? mean;
      rows.push({
        arm: arm.activation,
        epoch: point.epoch,
        mean: mean * factor,
        low: Math.max(log ? mean / 10 : 0, low) * factor,
        high: high * factor
      });
    }
  }
  const domain = domainOf(rows.map(row => row.mean), log);
  const number = `format(datum.mean, '.3~g')`;
  return {
    ...base(width, 300),
    data: [
      {name: 'rows', values: rows}, {
        name: 'points',
        source: 'rows',
        transform: [{type: 'formula', as: 'tip', expr: `datum.arm + '\\nepoch ' + datum.epoch + ': ' + ${number}`}]
      }
    ],
    scales: [
      {name: 'x', type: 'linear', domain: {data: 'rows', field: 'epoch'}, range: 'width', nice: false},
      {name: 'y', type: log ? 'log' : 'linear', domain, range: 'height', nice: !log, zero: false, clamp: true},
      colourScale
    ],
    axes: [
      {orient: 'bottom', scale: 'x', title: 'epoch', tickCount: 6, format: 'd'}, {
        orient: 'left',
        scale: 'y',
        title: yTitle,
        grid: true,
        tickCount: 5,
        ...(log ? {values: logTicks(domain), format: logFormat(domain)} : {})
      }
    ],
    marks: [{
      type: 'group',
      from: {facet: {name: 'line', data: 'points', groupby: 'arm'}},
      clip: true,
      encode: {enter: {width: {signal: 'width'}, height: {signal: 'height'}}},
      marks: [
        ...(band ? [{
          type: 'area',
          from: {data: 'line'},
          interactive: false,
          encode: {
            update: {
              x: {scale: 'x', field: 'epoch'},
              y: {scale: 'y', field: 'low'},
              y2: {scale: 'y', field: 'high'},
              fill: {scale: 'colour', field: 'arm'},
              fillOpacity: {value: 0.13}
            }
          }
        }] :
                   []),
        {
          type: 'line',
          from: {data: 'line'},
          interactive: false,
          encode: {
            update: {
              x: {scale: 'x', field: 'epoch'},
              y: {scale: 'y', field: 'mean'},
              stroke: {scale: 'colour', field: 'arm'},
              strokeWidth: {value: 2}
            }
          }
        },
        {
          type: 'symbol',
          from: {data: 'line'},
          encode: {
            update: {
              x: {scale: 'x', field: 'epoch'},
              y: {scale: 'y', field: 'mean'},
              size: {value: 60},
              fill: {scale: 'colour', field: 'arm'},
              fillOpacity: {value: 0},
              tooltip: {field: 'tip'}
            },
            hover: {fillOpacity: {value: 1}}
          }
        }
      ],
    }],
  };
}

// Names of arms beside rows: what does not fit on a narrow page is cut.
const armAxis = width => ({orient: 'left', scale: 'y', ticks: false, domain: false, labelLimit: Math.max(90, width / 4)});

// Every seed's final error as a point, the mean and its interval as a line.
function finals(width) {
  const points = [], means = [];
  const rowHeight = arms.length > 40 ? 15 : 26;
  for (const arm of arms) {
    for (const run of arm.runs)
      if (run.test_error !== null)
        points.push({
          arm: arm.activation,
          error: scale * run.test_error,
          tip: `${arm.activation}, seed ${run.seed}\n${showError(run.test_error)}`
        });
    const e = arm.test_error;
    if (e.mean !== null)
      means.push({
        arm: arm.activation,
        error: scale * e.mean,
        low: scale * (e.low ?? e.mean),
        high: scale * (e.high ?? e.mean),
        tip: `${arm.activation}\nmean ${showError(e.mean)}` +
            (e.low === null ? '' : `\n95 %: ${showError(e.low)} – ${showError(e.high)}`)
      });
  }
  const [low, high] = domainOf([...points.map(p => p.error), ...means.flatMap(m => [m.low, m.high])], true);
  const wide = high / low > 6;  // an arm that failed must not squeeze the others into one line
  return {
    ...base(width, rowHeight * arms.length + 70),
    data: [{name: 'points', values: points}, {name: 'means', values: means}],
    scales: [
      {name: 'y', type: 'band', domain: arms.map(a => a.activation), range: 'height', padding: 0.3}, {
        name: 'x',
        type: wide ? 'log' : 'linear',
        domain: wide ? [low / 1.1, high * 1.1] : [low - 0.05 * (high - low), high + 0.05 * (high - low)],
        range: 'width',
        zero: false,
        nice: false,
        clamp: true
      },
      colourScale
    ],
    axes: [
      armAxis(width), {
        orient: 'bottom',
        scale: 'x',
        title: `test ${metricName}${wide ? ', logarithmic' : ''}`,
        grid: true,
        tickCount: Math.max(2, Math.floor(width / 90)),
        format: '.4~r',
        ...(wide ? {values: logTicks([low / 1.1, high * 1.1])} : {})
      }
    ],
    marks: [
      {
        type: 'rule',
        from: {data: 'means'},
        interactive: false,
        encode: {
          update: {
            y: {scale: 'y', field: 'arm', band: 0.5},
            x: {scale: 'x', field: 'low'},
            x2: {scale: 'x', field: 'high'},
            stroke: {scale: 'colour', field: 'arm'},
            strokeWidth: {value: 3},
            strokeOpacity: {value: 0.55}
          }
        }
      },
      {
        type: 'symbol',
        from: {data: 'points'},
        encode: {
          update: {
            y: {scale: 'y', field: 'arm', band: 0.5},
            x: {scale: 'x', field: 'error'},
            size: {value: rowHeight > 20 ? 45 : 20},
            stroke: {scale: 'colour', field: 'arm'},
            strokeWidth: {value: 1.5},
            fill: {value: css('--paper')},
            tooltip: {field: 'tip'}
          }
        }
      },
      {
        type: 'symbol',
        from: {data: 'means'},
        encode: {
          update: {
            y: {scale: 'y', field: 'arm', band: 0.5},
            x: {scale: 'x', field: 'error'},
            shape: {value: 'diamond'},
            size: {value: rowHeight > 20 ? 110 : 50},
            fill: {scale: 'colour', field: 'arm'},
            tooltip: {field: 'tip'}
          }
        }
      }
    ],
  };
}

// The gradient's norm from the first layer to the last; gated arms have fewer layers, so the place is relative.
function gradients(width, when) {
  const rows = [];
  for (const arm of arms) {
    if (!shown.has(arm.activation)) continue;
    const values = arm.gradients[when];
    values.forEach((value, i) => {
      const norm = value === null ? null : Math.max(value, 1e-12);
      if (norm !== null)
        rows.push({
          arm: arm.activation,
          layer: values.length === 1 ? 1 : i / (values.length - 1),
          norm,
          tip: `${arm.activation}\nactivation ${i + 1} of ${values.length}: ${value.toExponential(1)}`
        });
    });
  }
  const domain = domainOf(rows.map(row => row.norm), true);
  return {
    ...base(width, 300),
    data: [{name: 'rows', values: rows}],
    scales: [
      {name: 'x', type: 'linear', domain: [0, 1], range: 'width'},
      {name: 'y', type: 'log', domain, range: 'height', clamp: true}, colourScale
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: 'place in the network',
        values: [0, 1],
        encode: {
          labels: {
            update: {
              text: {signal: 'datum.value == 0 ? \'first layer\' : \'last layer\''},
              align: {signal: 'datum.value == 0 ? \'left\' : \'right\''}
            }
          }
        }
      },
      {
        orient: 'left',
        scale: 'y',
        title: 'norm of the gradient',
        grid: true,
        values: logTicks(domain),
        format: logFormat(domain)
      }
    ],
    marks: [{
      type: 'group',
      from: {facet: {name: 'line', data: 'rows', groupby: 'arm'}},
      marks: [
        {
          type: 'line',
          from: {data: 'line'},
          interactive: false,
          encode: {
            update: {
              x: {scale: 'x', field: 'layer'},
              y: {scale: 'y', field: 'norm'},
              stroke: {scale: 'colour', field: 'arm'},
              strokeWidth: {value: 2}
            }
          }
        },
        {
          type: 'symbol',
          from: {data: 'line'},
          encode: {
            update: {
              x: {scale: 'x', field: 'layer'},
              y: {scale: 'y', field: 'norm'},
              size: {value: 40},
              fill: {scale: 'colour', field: 'arm'},
              tooltip: {field: 'tip'}
            }
          }
        }
      ]
    }],
  };
}
