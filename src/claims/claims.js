// The page of `ogee claims report`: every claim with its verdict, what decided it, and charts.
'use strict';

const results = JSON.parse(document.getElementById('data').textContent);

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const kindOf = verdict => ({'holds': 'holds', 'holds in part': 'part', 'does not hold': 'not'}[verdict] ?? 'unknown');
const verdictOf = verdict => element('span', {class: `verdict ${kindOf(verdict)}`}, verdict);
const idOf = result => `${result.name}-${result.preset}`;
const heldOf = result => result.expectations.filter(each => each.verdict === 'holds').length;

function summary() {
  const row = result => element('tr', {},
      element('th', {scope: 'row'}, element('a', {href: `#${idOf(result)}`}, result.name)),
      element('td', {}, verdictOf(result.verdict)),
      element('td', {class: 'number'}, `${heldOf(result)} of ${result.expectations.length}`),
      element('td', {}, result.preset), element('td', {class: 'number'}, `${Math.round(result.seconds)} s`),
      element('td', {}, result.claim));
  const heads = ['claim', 'verdict', 'expectations that hold', 'preset', 'time', 'what is claimed'];
  return element('div', {class: 'scroll'}, element('table', {class: 'summary'},
      element('thead', {}, element('tr', {}, ...heads.map(head => element('th', {scope: 'col'}, head)))),
      element('tbody', {}, ...results.map(row))));
}

function expectations(result) {
  return element('ul', {class: 'expectations'}, ...result.expectations.map(each => element('li', {},
      verdictOf(each.verdict), ` ${each.text}`, element('span', {class: 'figure'}, each.figure))));
}

function facts(result) {
  const pairs = [['source', result.source], ['document', result.document],
    ...result.published.map(each => ['published', `${each.figure}: ${each.value} (${each.source})`]),
    ['scale', result.scale], ...result.notes.map(note => ['note', note]),
    ['again', `ogee claims run ${result.name} --preset ${result.preset}`]];
  return element('dl', {}, ...pairs.filter(pair => pair[1]).flatMap(
      ([name, text]) => [element('dt', {}, name), element('dd', {}, text)]));
}

function section(result) {
  const drawn = result.charts.map(each => claimChart(result, each)).filter(each => each);
  return element('section', {id: idOf(result)},
      element('h2', {}, `${result.name}: `, verdictOf(result.verdict)), element('blockquote', {}, result.claim),
      expectations(result), element('div', {class: 'charts'}, ...drawn), facts(result),
      element('details', {}, element('summary', {}, 'settings'),
          element('pre', {}, JSON.stringify(result.settings, null, 1))));
}

function page() {
  const count = kind => results.filter(result => kindOf(result.verdict) === kind).length;
  document.getElementById('page').append(
      element('h1', {}, 'What of the literature holds'),
      element('p', {class: 'under'}, `${results.length} ${results.length === 1 ? 'claim' : 'claims'}: ${count('holds')} ` +
          `hold, ${count('part')} in part, ${count('not')} do not, of ${count('unknown')} these runs cannot tell. An ` +
          'expectation holds where the whole interval of its mean over seeds lies on the claimed side (95 % for all ' +
          'expectations of a claim together); a claim holds where all do, and in part where some do and some do not.'),
      summary(), ...results.map(section), tip);
}
