/**
 * Documents as nobody would write them, and as some do.
 *
 * @module
 */
import fc from 'fast-check'
import { INSIDE } from './bodies-world.ts'

const HTML = (
  'a img div p span b table tr td title style script textarea xmp iframe noembed noframes ' +
  'noscript template font form input button base link body html head frame object video source ' +
  'br li ul h1 center image'
).split(' ')
/** Not in foreign content: whether one of them closes it depends on what is open around it. */
const FOREIGN = 'g path a desc title style script use foreignObject mi annotation-xml'.split(' ')

const url = fc.constantFrom(
  `${INSIDE}/x`,
  `${INSIDE}`,
  `HTTP://Inside.Internal:80/a?b=c&amp;d#e`,
  '//inside.internal/y',
  'http:&#x2f;&sol;inside.internal/z',
  'http://elsewhere.example/',
  'relative/path',
  '/path',
  '#fragment',
  'javascript:x()',
  'a>b',
  'mailto:a@b',
  `&NewLine;${INSIDE}/n`,
  `${INSIDE}.evil/x`,
  `http://user@inside.internal/`,
)
const attributeName = fc.constantFrom(
  ...['href', 'HREF', 'src', 'action', 'formaction', 'data', 'poster', 'cite', 'background'],
  ...['xlink:href', 'title', 'onclick', 'data-href', 'class', 'color', 'longdesc', 'usemap'],
)
const attribute = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(attributeName, url).map(([n, v]) => `${n}="${v}"`) },
  { weight: 2, arbitrary: fc.tuple(attributeName, url).map(([n, v]) => `${n} = '${v}'`) },
  { weight: 2, arbitrary: fc.tuple(attributeName, url).map(([n, v]) => `${n}=${v}`) },
  attributeName,
  fc.constantFrom('/', '=', '"', 'encoding=text/html', '\0', 'href==x', 'é=ü'),
)
const startTag = (names: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(...names),
      fc.boolean(),
      fc.array(attribute, { maxLength: 3 }),
      fc.constantFrom('>', '>', '>', '/>', ' >', '\n>'),
    )
    .map(([name, isUpper, attributes, end]) =>
      ['<' + (isUpper ? name.toUpperCase() : name), ...attributes].join(' ').concat(end),
    )
const endTag = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom('>', ' >', '/>', ` href="${INSIDE}/">`))
    .map(([name, end]) => `</${name}${end}`)
const text = fc.constantFrom(
  ...['text', 'é', '&amp;', '<', '</', '</>', '<!', '<?x', '>', '"', "'", '\0', '\r\n', '<3', '-'],
  ...['<!--', '-->', '--!>', '<!-->', '<!--->', '<!doctype html>', '<![CDATA[', ']]>'],
  ...[
    `url(${INSIDE}/css)`,
    `<!-- <a href="${INSIDE}/"> -->`,
    `"<a href='${INSIDE}/'>"`,
    '<a href="',
  ],
  ...['<!--<script>', '</script', '<![if !IE]>', '<plaintext'],
)
const foreign = fc
  .tuple(
    fc.constantFrom('svg', 'math'),
    fc.array(fc.oneof(startTag(FOREIGN), text), { maxLength: 6 }),
    fc.boolean(),
  )
  .map(([root, inside, isClosed]) => `<${root}>${inside.join('')}${isClosed ? `</${root}>` : ''}`)

/** Tags, texts and beginnings of either in any order. */
export const htmlSoup = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: startTag(HTML) },
      { weight: 3, arbitrary: endTag(HTML) },
      { weight: 3, arbitrary: text },
      { weight: 1, arbitrary: foreign },
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))
