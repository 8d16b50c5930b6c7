/**
 * The text of an attribute, with the place of each of its characters in the octets it came from.
 *
 * Read are the references that stand for one ASCII character: no other can be part of what is
 * compared, so they stay as they are said.
 *
 * @see https://html.spec.whatwg.org/multipage/parsing.html#character-reference-state
 * @module
 */
import { latin1 } from './octets-out.ts'

/** A text, and where in a buffer its characters are said. */
export interface PlacedText {
  readonly text: string
  /** Where character `index` begins; of the text's length: where it ends. */
  place(index: number): number
}

/** The octets `from` to `to` of a buffer as they are. */
export function plainText(bytes: Uint8Array, from: number, to: number): PlacedText {
  return { text: latin1(bytes, from, to), place: (index) => from + index }
}

/** The value of an attribute. */
export function attributeText(bytes: Uint8Array, from: number, to: number): PlacedText {
  const first = bytes.indexOf(AMPERSAND, from)
  if (first === -1 || first >= to) return plainText(bytes, from, to)
  const raw = latin1(bytes, from, to)
  const places: number[] = []
  let text = ''
  for (let at = 0; at < raw.length;) {
    const reference = raw.charCodeAt(at) === AMPERSAND ? referenceAt(raw, at) : undefined
    text += reference?.character ?? raw[at]!
    places.push(from + at)
    at += reference?.length ?? 1
  }
  places.push(to)
  return { text, place: (index) => places[index]! }
}

interface Reference {
  readonly character: string
  readonly length: number
}

function referenceAt(raw: string, at: number): Reference | undefined {
  REFERENCE.lastIndex = at
  const match = REFERENCE.exec(raw)
  if (match === null) return undefined
  const [{ length }, decimal, hexadecimal, named, bare] = match
  const name = named ?? bare
  const character =
    name !== undefined
      ? NAMED.get(name)
      : ofCode(decimal === undefined ? parseInt(hexadecimal!, 16) : parseInt(decimal, 10))
  return character === undefined ? undefined : { character, length }
}

function ofCode(code: number): string {
  return code > 0 && code < 0x80 ? String.fromCharCode(code) : OTHER
}

const AMPERSAND = 0x26
/** Stands for any character that is not compared. */
const OTHER = '\u{FFFD}'
/**
 * A number may lack its semicolon. Of the names these may as well, where no letter, digit or `=`
 * follows.
 */
const REFERENCE =
  /&(?:#(?:([0-9]+)|[xX]([0-9a-fA-F]+));?|([A-Za-z]{2,24});|(amp|lt|gt|quot|AMP|LT|GT|QUOT)(?![A-Za-z0-9=]))/y

/** All names of one ASCII character. */
const NAMED: ReadonlyMap<string, string> = new Map(
  [
    ...['Tab \t', 'NewLine \n', 'excl !', 'quot "', 'QUOT "', 'num #', 'dollar $', 'percnt %'],
    ...['amp &', 'AMP &', "apos '", 'lpar (', 'rpar )', 'ast *', 'midast *', 'plus +', 'comma ,'],
    ...['period .', 'sol /', 'colon :', 'semi ;', 'lt <', 'LT <', 'equals =', 'gt >', 'GT >'],
    ...['quest ?', 'commat @', 'lsqb [', 'lbrack [', 'bsol \\', 'rsqb ]', 'rbrack ]', 'Hat ^'],
    ...['lowbar _', 'UnderBar _', 'grave `', 'DiacriticalGrave `', 'lcub {', 'lbrace {'],
    ...['verbar |', 'vert |', 'VerticalLine |', 'rcub }', 'rbrace }'],
  ].map((entry) => [entry.slice(0, entry.indexOf(' ')), entry.slice(entry.indexOf(' ') + 1)]),
)
