/**
 * In which charsets a body can be read by its octets: those in which an octet below 0x80 is the
 * ASCII character that it looks like, whatever stands before it.
 *
 * @see https://encoding.spec.whatwg.org/#names-and-labels
 * @module
 */

/** Whether it is UTF-8 or a charset of one octet a character; a label that nobody knows is none. */
export function isReadable(label: string): boolean {
  return READABLE.test(label.trim().toLowerCase())
}

const READABLE = new RegExp(
  `^(?:${[
    'utf-?8|(?:unicode-1-1-|unicode11|unicode20|x-unicode20)utf-?8',
    'us-ascii|ascii|ansi_x3\\.4-1968|iso-ir-(?:58|100|101|109|110|126|127|138|144|148|157)',
    'iso[-_]?8859-?(?:[1-9]|1[0-1]|1[3-6])(?:-[ei])?(?::19\\d\\d)?|iso8859(?:[1-9]|1[0-1]|1[3-5])',
    'latin[1-9]|l[1-9]|csisolatin(?:[1-9]|arabic|cyrillic|greek|hebrew)|csisolatin9',
    '(?:windows-|cp|x-cp)125[0-8]|windows-874|dos-874|tis-620|ibm8(?:19|66)|cp8(?:19|66)|866|csibm866',
    'arabic|asmo-708|ecma-1(?:14|18)|iso-8859-8-[ei]|csiso88596[ei]|csiso88598[ei]|logical|visual',
    'greek8?|elot_928|sun_eu_greek|hebrew|cyrillic',
    'koi8?(?:-r|-u|-ru|_r)?|cskoi8r|macintosh|mac|csmacintosh|x-mac-(?:roman|cyrillic|ukrainian)',
  ].join('|')})$`,
)

/** What the first octets say of a charset; undefined: nothing. */
export function byteOrderMark(bytes: Uint8Array): 'utf-8' | 'utf-16' | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16'
  return bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16' : undefined
}
