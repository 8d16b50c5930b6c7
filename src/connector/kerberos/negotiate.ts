/**
 * What an application says of our token in the head of its answer (RFC 4559).
 *
 * @module
 */
import { bindsConnection, FoldedNames, type HeaderList } from '../../protocol/internal.ts'

/** What was said to us, and what the user gets to see. */
export interface NegotiateAnswer {
  /** Without what was said to us. */
  readonly headers: HeaderList
  /** The application's own token: undefined when there is none, or more than one. */
  readonly token: Uint8Array | undefined
  /** Whether it asks for credentials, of whatever kind: the user cannot show any. */
  readonly isChallenged: boolean
}

const CHALLENGE = new FoldedNames(['www-authenticate'])
const TOKEN = /^[ \t]*negotiate[ \t]+([A-Za-z0-9+/]+={0,2})[ \t]*$/i

/** Reads an answer's header list. */
export function negotiateAnswer(headers: HeaderList): NegotiateAnswer {
  const rest: string[] = []
  const tokens: string[] = []
  let isChallenged = false
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    if (CHALLENGE.has(name)) {
      isChallenged = true
      const token = TOKEN.exec(value)?.[1]
      if (token !== undefined) tokens.push(token)
    }
    if (!bindsConnection([name, value])) rest.push(name, value)
  }
  const token = tokens.length === 1 ? octetsOf(tokens[0]!) : undefined
  return { headers: rest, token, isChallenged }
}

/** The field that carries a token. */
export function negotiateField(token: Uint8Array): string {
  let binary = ''
  for (const octet of token) binary += String.fromCharCode(octet)
  return `Negotiate ${btoa(binary)}`
}

function octetsOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))
  } catch {
    return undefined
  }
}
