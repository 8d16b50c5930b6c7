/**
 * What a reverse proxy must carry, and which binding carries it. `test/integration/semantics.test.ts` proves each cell.
 *
 * @module
 */

/** How an exchange is carried: the link's frames in memory, plain calls, the link over TLS. */
export const BINDINGS = ['memory', 'plain', 'link'] as const
export type CarryingBinding = (typeof BINDINGS)[number]

/** `501`: plain calls cannot, say so in their features, and the cloud tells the user. */
export type Carried = 'yes' | '501'

interface Semantic {
  readonly name: string
  /** Over plain calls; over the others everything is carried. Default `yes`. */
  readonly plain?: Carried
}

// prettier-ignore
export const SEMANTICS = [
  { name: 'the methods GET, POST, PUT, PATCH, DELETE, OPTIONS, PROPFIND, M-SEARCH and TRACE, octet for octet' },
  { name: 'a method that nobody registered, in whatever letters (HTTP/2; over HTTP/1.1 it is answered 501, as CONNECT is everywhere)' },
  { name: 'PATCH, DELETE and OPTIONS with a body' },
  { name: 'HEAD: a length and no body' },
  { name: '204 and 304: no body' },
  { name: 'bodies of unknown length, both ways' },
  { name: 'bodies of 0, 1, 64 KiB ± 1 and 5 MiB, of known and of unknown length, both ways' },
  { name: 'a range' },
  { name: 'a target, octet for octet' },
  { name: '`Expect: 100-continue`: answered when a connector asks for the body' },
  { name: 'interim answers: 102, 103 and any other 1xx' },
  { name: 'an application’s 100 that nobody asked for: not passed on, and the answer is' },
  { name: 'trailers both ways, and none that a trailer may not be' },
  { name: 'trailers that break the framing: 400, and the application’s request is broken off' },
  { name: 'an early answer, while the body is still being sent' },
  { name: 'server-sent events, each when it is said' },
  { name: 'a trickle both ways at once: each octet when it is sent' },
  { name: 'a WebSocket: sub-protocols, cookies on the 101, each direction ending alone', plain: '501' },
  { name: 'a switch to any other protocol', plain: '501' },
  { name: 'an application that refuses to switch: its answer', plain: '501' },
  { name: 'identity headers on a handshake', plain: '501' },
  { name: 'an application that cuts a tunnel: the user is broken off', plain: '501' },
  { name: 'a user who leaves: the application’s request is cancelled, and the slot is free' },
  { name: 'an application that dies in its answer: the user is broken off' },
  { name: 'an application that dies before its answer: 502 that names it' },
  { name: 'keep-alive on the user’s side' },
  { name: 'keep-alive on the application’s side: a stale connection is replaced once, for safe requests without a body' },
  { name: 'a user of HTTP/2: body, interim answers and trailers both ways' },
] as const satisfies readonly Semantic[]

export type SemanticName = (typeof SEMANTICS)[number]['name']

/** What a binding does with it. */
export function carried(semantic: Semantic, binding: CarryingBinding): Carried {
  return binding === 'plain' ? (semantic.plain ?? 'yes') : 'yes'
}
