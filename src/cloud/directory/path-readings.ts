/**
 * How the servers behind may read a path: as it came, and by whatever steps they are known for, in
 * any order and as often as they like.
 *
 * A server is modelled as a chain of steps. All paths that any such chain makes of one path are
 * found by taking each step from each path until nothing new comes. So no order of steps is
 * forgotten, and there is none to choose.
 *
 * A path is a text of octets, one a character, until a step reads it as UTF-8.
 *
 * @see docs/publishing.md, "Segments"
 * @module
 */

/** One thing that some server does. The same text: it has nothing to do here. */
type Step = (path: string) => string

/** Each is by itself what some server does; why: docs/publishing.md has the table. */
export const READING_STEPS = {
  decoded: (path) => path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => octet(hex)),
  // Some leave encoded slashes alone, and decode the rest.
  'decoded but slashes': (path) =>
    path.replace(/%(?!2f|5c)([0-9a-f]{2})/gi, (_, hex: string) => octet(hex)),
  'decoded from %u': (path) => path.replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => octet(hex)),
  'plus as space': (path) => path.replaceAll('+', ' '),
  'overlong UTF-8': (path) => path.replace(OVERLONG, shortest),
  'compatible characters': compatible,
  'backslash as slash': (path) => path.replaceAll('\\', '/'),
  'slashes merged': (path) => path.replace(/\/{2,}/g, '/'),
  'without parameters': (path) => path.replace(/;[^/]*/g, ''),
  'without streams': (path) => path.replace(/:[^/]*/g, ''),
  'without spaces at the end': (path) => path.replace(/ +(?=\/|$)/g, ''),
  'without dots and spaces at the end': (path) => path.replace(/[. ]+(?=\/|$)/g, ''),
  'up to a NUL': (path) => path.replace(/\0[^]*$/, ''),
} as const satisfies Readonly<Record<string, Step>>
const STEPS: readonly Step[] = Object.values(READING_STEPS)

/** A path that every server reads as it is, or in another letter case. */
export function isPlainPath(path: string): boolean {
  return !UNPLAIN.test(path)
}
const UNPLAIN = /[^!$&'()*,\-./0-9=@A-Z_a-z~]|\/\/|\.(?:\/|$)|~\d/

/** More readings than anybody needs, or more characters in all of them, are not looked at. */
const MAX_READINGS = 64
const MAX_CHARACTERS = 128 * 1024

/**
 * All readings of a path, itself the first; `undefined`: there are too many, or one of them has a
 * dot segment.
 *
 * @param also further readings that one of them has
 */
export function readingsOf(
  path: string,
  also: (path: string) => readonly string[] = () => [],
): readonly string[] | undefined {
  const readings = new Set([path])
  let characters = path.length
  for (const reading of readings) {
    if (DOT_SEGMENT.test(reading)) return undefined
    for (const next of [...STEPS.map((step) => step(reading)), ...also(reading)]) {
      if (readings.has(next)) continue
      readings.add(next)
      characters += next.length
      if (readings.size > MAX_READINGS || characters > MAX_CHARACTERS) return undefined
    }
  }
  return [...readings]
}

const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/** One text for all letter cases of a path. */
export function folded(path: string): string {
  // Upper first: the long s and the dotless i have a capital letter of ASCII.
  return path.toUpperCase().toLowerCase()
}

const octet = (hex: string) => String.fromCharCode(Number.parseInt(hex, 16))

/**
 * More octets than a character needs. Careless decoders take any second octet for one that
 * continues.
 */
const OVERLONG = /[\xc0\xc1][\0-\xff]|\xe0[\x80\x81][\x80-\xbf]|\xf0\x80[\x80\x81][\x80-\xbf]/g

function shortest(octets: string): string {
  const [last, before] = [
    octets.charCodeAt(octets.length - 1),
    octets.charCodeAt(octets.length - 2),
  ]
  return String.fromCharCode(((before & 1) << 6) | (last & 0x3f))
}

/** UTF-8 as characters, those in the place of which others may be taken as those others. */
function compatible(path: string): string {
  if (!/[^\0-\x7f]/.test(path)) return path
  let text = path
  try {
    text = decodeURIComponent(path.replace(/[%\x80-\xff]/g, encoded))
  } catch {
    // It is no UTF-8: whoever reads characters reads others, or none.
  }
  return text.normalize('NFKC')
}

const encoded = (octet: string) => `%${octet.charCodeAt(0).toString(16).padStart(2, '0')}`
