/**
 * The header fields that tell an application who the user is, so that no two users' values read the
 * same.
 *
 * A text goes as its UTF-8 octets, or not at all where a field cannot carry it as it is. In a list
 * each member is percent-encoded where it has what would end it: `%`, a character of the separator,
 * a control, or a space at an edge; then the members are joined. With the encoding `percent` both
 * are percent-encoded wherever they are not plain ASCII.
 *
 * @see spec/PROTOCOL.md, "Identity headers"
 * @module
 */
import * as v from 'valibot'
import { IDENTITY_CLAIMS, type IdentityHeader } from '../rules/identity-claims.ts'

const claim = v.picklist(IDENTITY_CLAIMS)

export const IdentityHeaderConfiguration = v.union([
  claim,
  v.strictObject({
    claim,
    separator: v.exactOptional(
      v.pipe(
        v.string(),
        v.regex(/^[ !#&*+,./:;<>=@^_|~-]{1,4}$/, 'must be one to four signs, and no letters'),
      ),
    ),
    encoding: v.exactOptional(v.picklist(['utf-8', 'percent'])),
  }),
])

/** The field's value for a claim; `undefined`: no value can say it. */
export function identityField(
  value: string | readonly string[] | undefined,
  header: IdentityHeader,
): string | undefined {
  if (value === undefined) return undefined
  const { separator = ',', encoding = 'utf-8' } = typeof header === 'string' ? {} : header
  if (typeof value === 'string') {
    if (UNSAYABLE.test(value)) return undefined
    if (encoding === 'percent') return octets(percent(value, '%', true))
    return LOST_IN_FIELDS.test(value) ? undefined : octets(value)
  }
  const special = `%${separator}`
  const members = value.filter((member) => member !== '' && !UNSAYABLE.test(member))
  return octets(
    members.map((member) => percent(member, special, encoding === 'percent')).join(separator),
  )
}

/** Half a character: no UTF-8 says it. */
const UNSAYABLE = /\p{Surrogate}/u
/** What fields may not hold, or readers of fields take away. */
const LOST_IN_FIELDS = /[\0-\x1f\x7f]|^ | $/

function percent(text: string, special: string, isAscii: boolean): string {
  let value = ''
  const characters = [...text]
  for (const [i, character] of characters.entries()) {
    const isEdge = character === ' ' && (i === 0 || i === characters.length - 1)
    const isEncoded =
      isEdge ||
      character < ' ' ||
      character === '\x7f' ||
      special.includes(character) ||
      (isAscii && character > '\x7e')
    value += isEncoded ? encoded(character) : character
  }
  return value
}

const encoded = (character: string) =>
  Array.from(
    new TextEncoder().encode(character),
    (octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')

/** UTF-8, one character for each octet, as header lists have them. */
const octets = (text: string) =>
  Array.from(new TextEncoder().encode(text), (octet) => String.fromCharCode(octet)).join('')
