/**
 * The header fields that tell an application who the user is, so that no two users' values read the
 * same.
 *
 * A text goes as its UTF-8 octets, or not at all where a field cannot carry it as it is; other
 * encodings carry every text. In a list each member is encoded where it has what would end it: the
 * mark of the encoding, a character of the separator, a control, or a space at an edge; then the
 * members are joined. As JSON a list is always an array of texts, in ASCII.
 *
 * @see spec/PROTOCOL.md, "Identity headers"
 * @module
 */
import { base64url } from 'jose'
import * as v from 'valibot'
import { ClaimName, type TypedClaim } from '../../protocol/internal.ts'
import {
  ACCOUNT,
  HEADER_ENCODINGS,
  isListClaim,
  type IdentityHeader,
  type IdentityHeaderForm,
} from '../rules/identity-claims.ts'

const Form = v.strictObject({
  claim: v.exactOptional(ClaimName),
  list: v.exactOptional(v.picklist(['separated', 'json'])),
  separator: v.exactOptional(
    v.pipe(
      v.string(),
      v.regex(/^[ !#&*+,./:;<>=@^_|~-]{1,4}$/, 'must be one to four signs, and no letters'),
    ),
  ),
  encoding: v.exactOptional(v.picklist(HEADER_ENCODINGS)),
  value: v.exactOptional(v.pipe(v.string(), v.minLength(1), v.maxLength(1024))),
})

export const IdentityHeaderConfiguration = v.union([ClaimName, Form])

/** The field's value for what a claim says; `undefined`: no value can say it. */
export function identityField(
  told: TypedClaim | undefined,
  header: IdentityHeader,
): string | undefined {
  const how: IdentityHeaderForm = typeof header === 'string' ? { claim: header } : header
  if (how.value !== undefined) return octets(how.value)
  if (told === undefined) return undefined
  const value = typeof told === 'number' || typeof told === 'boolean' ? String(told) : told
  return isList(how)
    ? listField(typeof value === 'string' ? [value] : value, how)
    : textField(value, how)
}

/** Whether the application reads a list there: what comes as one text is a list of one. */
const isList = ({ claim = '', list, separator }: IdentityHeaderForm) =>
  isListClaim(claim) || list !== undefined || (separator !== undefined && !TEXTS.has(claim))

/** Never lists. */
const TEXTS: ReadonlySet<string> = new Set([
  ...['subject', 'issuer', 'name', 'email', 'upn', ACCOUNT],
])

function textField(
  value: string | readonly string[],
  { encoding = 'utf-8' }: IdentityHeaderForm,
): string | undefined {
  const text = typeof value === 'string' ? value : value.length === 1 ? value[0]! : undefined
  // Several where one is read: none of them is the user's.
  if (text === undefined || UNSAYABLE.test(text)) return undefined
  switch (encoding) {
    case 'utf-8':
      return LOST_IN_FIELDS.test(text) ? undefined : octets(text)
    case 'percent':
      return marked(text, '%', '', true)
    case 'quoted-printable':
      return marked(text, '=', '', true)
    case 'rfc8187':
      return `UTF-8''${Array.from(text, attributeValue).join('')}`
    case 'base64url':
      return base64url.encode(text)
  }
}

function listField(
  list: readonly string[],
  { list: form, separator = ',', encoding = 'utf-8' }: IdentityHeaderForm,
): string {
  if (form === 'json') return asciiJson(list)
  const members = list.filter((member) => member !== '' && !UNSAYABLE.test(member))
  const mark = encoding === 'quoted-printable' ? '=' : '%'
  const parts = members.map((member) => marked(member, mark, separator, encoding !== 'utf-8'))
  return octets(parts.join(separator))
}

/** Half a character: no UTF-8 says it. */
const UNSAYABLE = /\p{Surrogate}/u
/** What fields may not hold, or readers of fields take away. */
const LOST_IN_FIELDS = /[\0-\x1f\x7f]|^ | $/
/** RFC 8187 section 3.2.1: `attr-char`. */
const ATTRIBUTE = /^[A-Za-z0-9!#$&+.^_`|~-]$/

const attributeValue = (character: string) =>
  ATTRIBUTE.test(character) ? character : encoded(character, '%')

/** With `mark` and two digits for each octet of what a reader would take for something else. */
function marked(text: string, mark: '%' | '=', separator: string, isAscii: boolean): string {
  const special = mark + separator
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
    value += isEncoded ? encoded(character, mark) : character
  }
  return value
}

const encoded = (character: string, mark: '%' | '=') =>
  Array.from(
    new TextEncoder().encode(character),
    (octet) => `${mark}${octet.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('')

const asciiJson = (list: readonly string[]) =>
  JSON.stringify(list).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** UTF-8, one character for each octet, as header lists have them. */
const octets = (text: string) =>
  Array.from(new TextEncoder().encode(text), (octet) => String.fromCharCode(octet)).join('')
