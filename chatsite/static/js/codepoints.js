// Positions on the wire count Unicode code points; strings here count UTF-16 units.

const PAIRS = /[\uD800-\uDBFF][\uDC00-\uDFFF]/g;

// The number of code points in `text`.
export function count(text) {
  return text.length - (text.match(PAIRS)?.length ?? 0);
}

// `text` without its first `points` code points.
export function dropFirst(text, points) {
  let unit = 0;
  for (; points > 0 && unit < text.length; points--) unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
  return text.slice(unit);
}
