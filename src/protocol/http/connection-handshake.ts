/**
 * How far a handshake has come that authenticates a connection and not a message: told by what a
 * request shows, and by what its answer shows.
 *
 * A handshake takes two requests or three: an opening token, often behind a challenge; a challenge
 * with a token; a token that continues. All of them must come on one connection to the application.
 *
 * @see RFC 4559, section 6; spec/PROTOCOL.md, "Connection-bound authentication"
 * @module
 */
import type { HeaderList } from '../wire/frame-types.ts'
import { bindsConnection } from './connection-bound.ts'
import { FoldedNames } from './header-list.ts'

/** What a request shows: no such credentials, those that open a handshake, or that continue one. */
export type HandshakeStep = 'none' | 'opens' | 'continues'

/**
 * What an answer shows. `plain`: nothing of it; `challenged`: who asks must begin; `goesOn`: a
 * challenge with a token, which the next request answers; `authenticated`: from here on the
 * connection may be its user's.
 */
export type HandshakeAnswer = 'plain' | 'challenged' | 'goesOn' | 'authenticated'

const CREDENTIALS = new FoldedNames(['authorization', 'proxy-authorization'])
const CHALLENGES = new FoldedNames(['www-authenticate', 'proxy-authenticate'])

const SCHEME = '(?:^|[\\s,])((?:ntlm|nego|spnego|kerberos|credssp)[0-9a-z]*)'
/** The names of schemes that bind, and such a name with its token, which is no parameter. */
const NAME = new RegExp(`${SCHEME}(?=[\\s,]|$)`, 'i')
const NAMES = new RegExp(NAME, 'gi')
const WITH_TOKEN = new RegExp(`${SCHEME}[ \\t]+[\\w+/.~-]+=*(?=[ \\t]*(?:,|$))`, 'i')
/**
 * A first message of NTLM (`NTLMSSP`, type 1), or of GSS-API, whose first octet is 0x60; or a
 * scheme alone.
 */
const OPENING = /^[0-9a-z]+(?:[ \t]+(?:TlRMTVNTUAAB|Y)|[ \t]*$)/i

/** The step that the header list of a request takes. */
export function handshakeStep(headers: HeaderList): HandshakeStep {
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (CREDENTIALS.has(name) && NAME.test(value))
      return OPENING.test(value) ? 'opens' : 'continues'
  }
  return 'none'
}

/** What the head of an answer says to a request that took `step`. */
export function handshakeAnswer(
  status: number,
  headers: HeaderList,
  step: HandshakeStep,
): HandshakeAnswer {
  const isRefused = status === 401 || status === 407
  if (!isRefused) return step !== 'none' || bindsConnection(headers) ? 'authenticated' : 'plain'
  let answer: HandshakeAnswer = 'plain'
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (!CHALLENGES.has(name)) continue
    const schemes = withoutQuoted(value)
    if (WITH_TOKEN.test(schemes)) return 'goesOn'
    if (NAME.test(schemes)) answer = 'challenged'
  }
  return answer
}

/** The schemes that a head names and that bind a connection, each once, as they are spelt. */
export function bindingSchemes(headers: HeaderList): readonly string[] {
  const names = new Map<string, string>()
  for (let i = 0; i < headers.length; i += 2) {
    if (!CHALLENGES.has(headers[i]!) && !CREDENTIALS.has(headers[i]!)) continue
    for (const [, name] of withoutQuoted(headers[i + 1]!).matchAll(NAMES))
      names.set(name!.toLowerCase(), name!)
  }
  return [...names.values()]
}

/** What a realm says names no scheme. */
function withoutQuoted(value: string): string {
  return value.includes('"') ? value.replace(/"(?:[^"\\]|\\.)*"/g, '""') : value
}
