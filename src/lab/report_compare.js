// The charts that set the arms beside each other: paired differences, and quality against cost.

// Each seed's difference to the lowest arm, the mean, and its intervals.
function differences(width) {
  const rows = arms.filter(arm => arm.against_best && usable(arm));
  const names = rows.map(arm => arm.activation);
  const rowHeight = names.length > 40 ? 15 : 26;
  const best = arms.find(arm => arm.activation === results.recommendation.lowest);
  const errorsOfBest = Object.fromEntries((best ? best.runs : []).map(run => [run.seed, run.test_error]));
  const points = [], means = [];
  for (const arm of rows) {
    const against = arm.against_best, alone = against.alone || [null, null];
    for (const run of arm.runs) {
      if (missing(run.test_error) || missing(errorsOfBest[run.seed])) continue;
      const difference = run.test_error - errorsOfBest[run.seed];
      points.push({
        arm: arm.activation,
        at: scale * difference,
        tip: `${arm.activation}, seed ${run.seed}\n${showChange(difference)}`
      });
    }
    means.push({
      arm: arm.activation,
      at: scale * against.difference,
      low: missing(against.low) ? null : scale * against.low,
      high: missing(against.high) ? null : scale * against.high,
      aloneLow: missing(alone[0]) ? null : scale * alone[0],
      aloneHigh: missing(alone[1]) ? null : scale * alone[1],
      tip: `${arm.activation}: ${showChange(against.difference)}` + (missing(against.low) ? '' :
        `\nfor all arms together: ${showRange(against.low, against.high, showChange)}` +
        `\nthis pair alone: ${showRange(...alone, showChange)}\n${against.words}`)
    });
  }
  // With few seeds an interval may be so wide that it hides everything else: it is cut where that says enough.
  const near = domainOf([0, ...points.map(p => p.at), ...means.flatMap(m => [m.aloneLow, m.aloneHigh])], false);
  const far = domainOf([...near, ...means.flatMap(m => [m.low, m.high])], false);
  const room = near[1] - near[0] || 1;
  const domain = [Math.max(far[0], near[0] - 0.6 * room), Math.min(far[1], near[1] + 0.6 * room)];
  const rule = (low, high, thickness, opacity) => ({
    type: 'rule',
    from: {data: 'means'},
    clip: true,
    interactive: false,
    encode: {update: {
      y: {scale: 'y', field: 'arm', band: 0.5},
      x: {scale: 'x', field: low},
      x2: {scale: 'x', field: high},
      stroke: {scale: 'colour', field: 'arm'},
      strokeWidth: {value: thickness},
      strokeOpacity: [{test: `datum.${low} === null`, value: 0}, {value: opacity}]
    }}
  });
  return {
    ...base(width, rowHeight * Math.max(1, names.length) + 70),
    data: [
      {name: 'points', values: points}, {name: 'means', values: means},
      {name: 'none', values: names.length ? [] : [{}]}
    ],
    scales: [
      {name: 'y', type: 'band', domain: names, range: 'height', padding: 0.3},
      {name: 'x', type: 'linear', domain, range: 'width', zero: false, nice: false, clamp: true}, colourScale
    ],
    axes: [
      armAxis(width), {
        orient: 'bottom',
        scale: 'x',
        title: share ? `points of test ${results.metric} above the lowest` : `test ${results.metric} above the lowest`,
        grid: true,
        tickCount: Math.max(2, Math.floor(width / 90)),
        format: '~g'
      }
    ],
    marks: [
      {type: 'rule', encode: {update: {
        x: {scale: 'x', value: 0}, y: {value: 0}, y2: {signal: 'height'}, stroke: {value: css('--ink')},
        strokeDash: {value: [4, 3]}}}},
      rule('low', 'high', rowHeight > 20 ? 9 : 5, 0.25), rule('aloneLow', 'aloneHigh', rowHeight > 20 ? 3 : 2, 0.8),
      {
        type: 'symbol',
        from: {data: 'points'},
        encode: {update: {
          y: {scale: 'y', field: 'arm', band: 0.5},
          x: {scale: 'x', field: 'at'},
          size: {value: rowHeight > 20 ? 36 : 16},
          stroke: {scale: 'colour', field: 'arm'},
          strokeWidth: {value: 1.3},
          fill: {value: css('--paper')},
          tooltip: {field: 'tip'}
        }}
      },
      {
        type: 'symbol',
        from: {data: 'means'},
        encode: {update: {
          y: {scale: 'y', field: 'arm', band: 0.5},
          x: {scale: 'x', field: 'at'},
          shape: {value: 'diamond'},
          size: {value: rowHeight > 20 ? 100 : 45},
          fill: {scale: 'colour', field: 'arm'},
          tooltip: {field: 'tip'}
        }}
      },
      {type: 'text', from: {data: 'none'}, encode: {update: {x: {signal: 'width/2'}, y: {signal: 'height/2'},
        align: {value: 'center'}, fill: {value: css('--soft')}, text: {value: 'no other arm to compare with'}}}}
    ]
  };
}

// Names of those on the front, then of others, wherever the name hides no other.
function label(points, first, close) {
  const named = [];
  for (const point of [...points.filter(p => first.has(p.arm)), ...points.filter(p => !first.has(p.arm))]) {
    const free = !named.some(other => close(point, other)) && named.length < 25;
    point.label = free ? point.arm : '';
    if (free) named.push(point);
  }
}

// Error against a cost. An arm is on the front if none is both better and cheaper.
function pareto(width, field, title) {
  const points = arms.filter(arm => usable(arm) && !missing(arm[field])).map(arm => ({
    arm: arm.activation,
    cost: arm[field],
    error: scale * arm.test_error.mean,
    low: scale * (arm.test_error.low ?? arm.test_error.mean),
    high: scale * (arm.test_error.high ?? arm.test_error.mean),
    tip: `${arm.activation}\n${showError(arm.test_error.mean)} (${showRange(arm.test_error.low, arm.test_error.high)})\n${
        brief(arm[field])} ${title}`
  })).sort((a, b) => a.cost - b.cost || a.error - b.error);
  const front = [];
  for (const point of points)
    if (!front.length || point.error < front[front.length - 1].error) front.push(point);
  const onFront = new Set(front.map(point => point.arm));
  const [low, high] = domainOf(points.map(point => point.cost), true);
  const errors = domainOf(points.map(point => point.error), true);
  const wide = errors[1] / errors[0] > 6, wideCost = high / low > 6;
  const room = (high - low) || high;
  const words = look => ({type: 'text', from: {data: 'points'}, interactive: false, encode: {update: {
    x: {scale: 'x', field: 'cost', offset: 7}, y: {scale: 'y', field: 'error'}, baseline: {value: 'middle'},
    text: {field: 'label'}, fontSize: {value: 11}, limit: {value: 130}, ...look}}});
  const y = [...(wide ? errors : domainOf(points.flatMap(point => [point.low, point.high]), true))];
  label(points, onFront, (point, other) => {
    const across = wideCost ? Math.log(other.cost / point.cost) / Math.log(2.6 * high / low) : (other.cost - point.cost) / (1.38 * room);
    const up = wide ? Math.log(other.error / point.error) / Math.log(y[1] / y[0]) : (other.error - point.error) / (y[1] - y[0]);
    return Math.abs(across) * width < 8 * Math.min(20, point.arm.length) && Math.abs(up) * 260 < 13;
  });
  return {
    ...base(width, 320),
    data: [{name: 'points', values: points}, {name: 'front', values: front}],
    scales: [
      {name: 'x', type: wideCost ? 'log' : 'linear', range: 'width', zero: false, nice: false,
        domain: wideCost ? [low / 1.3, high * 2] : [low - 0.08 * room, high + 0.3 * room]},
      {name: 'y', type: wide ? 'log' : 'linear', range: 'height', zero: false, nice: !wide, clamp: true,
        domain: domainOf(points.flatMap(point => [Math.max(point.low, point.error / 3), point.high]), true)}, colourScale
    ],
    axes: [
      {orient: 'bottom', scale: 'x', title, tickCount: 5, format: '.4~r', ...(wideCost ? {values: logTicks([low / 1.3, high * 2])} : {})},
      {orient: 'left', scale: 'y', title: `test ${metricName}`, grid: true, tickCount: 5, format: '.4~r',
        ...(wide ? {values: logTicks(errors)} : {})}
    ],
    marks: [
      {type: 'line', from: {data: 'front'}, interactive: false, encode: {update: {
        x: {scale: 'x', field: 'cost'}, y: {scale: 'y', field: 'error'}, interpolate: {value: 'step-after'},
        stroke: {value: css('--soft')}, strokeDash: {value: [3, 3]}}}},
      {type: 'rule', from: {data: 'points'}, interactive: false, encode: {update: {
        x: {scale: 'x', field: 'cost'}, y: {scale: 'y', field: 'low'}, y2: {scale: 'y', field: 'high'},
        stroke: {scale: 'colour', field: 'arm'}, strokeOpacity: {value: points.length > 40 ? 0.15 : 0.35},
        strokeWidth: {value: 2}}}},
      {type: 'symbol', name: 'dots', from: {data: 'points'}, encode: {update: {
        x: {scale: 'x', field: 'cost'}, y: {scale: 'y', field: 'error'}, fill: {scale: 'colour', field: 'arm'},
        size: {value: points.length > 40 ? 50 : 90}, tooltip: {field: 'tip'}}}},
      words({stroke: {value: css('--paper')}, strokeWidth: {value: 4}}), words({fill: {value: css('--ink')}})
    ]
  };
}
