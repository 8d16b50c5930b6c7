/**
 * The payload of every frame. Heads are MessagePack arrays whose position gives the meaning; a
 * decoder ignores elements after those it knows, so later versions append. Checks are written out:
 * a schema library would double a frame's cost. What they check is declared in frame-layouts.ts.
 *
 * @see spec/PROTOCOL.md, "Frames"
 * @module
 */
import { isFieldValue, isTarget, isToken } from './fields.ts'
import {
  DECLINE_REASONS,
  type BodyKind,
  type Claim,
  type Decline,
  type DeclineReason,
  type ExchangeId,
  type HeaderList,
  type Offer,
  type ResponseHead,
  type UserClaims,
} from './frame-types.ts'
import { putBoolean, putCount, putId, putList, putNil, putText, putTexts } from './head-writer.ts'
import { MAX_ANSWER_FIELDS, FIRST_CREDIT_BYTES } from './limits.ts'
import { encode } from './msgpack.ts'
import { malformed, readElements, type PositionalReader } from './positional.ts'
import { Slab } from './slab.ts'
import { isMap, typedClaimsFault, type TypedClaims } from './typed-claims.ts'

/**
 * The elements are written in the order that frame-layouts.ts declares: `user` is nil or a map,
 * `upgrade` nil or a string, `body` false (none), true (streamed) or its length.
 */
export function encodeOffer(offer: Offer): Uint8Array {
  return encoded(writeOffer, offer)
}

/** As {@link encodeOffer}, to where it leaves from. */
export function writeOffer(to: Slab, offer: Offer): void {
  const { user, body, upgrade, answerMs, affinity, pinned = 0 } = offer
  const hasAffinity = affinity !== undefined || pinned > 0
  putList(to, hasAffinity ? 15 : 13)
  putExchangeId(to, offer.id)
  putCount(to, offer.attempt)
  putText(to, offer.applicationId)
  putText(to, offer.applicationVersion)
  putText(to, offer.method)
  putText(to, offer.target)
  putTexts(to, offer.headers)
  if (user === undefined) putNil(to)
  else to.put(packed(user))
  if (body.kind === 'length') putCount(to, body.bytes)
  else putBoolean(to, body.kind === 'streamed')
  if (upgrade === undefined) putNil(to)
  else putText(to, upgrade)
  putCount(to, offer.remainingMs)
  putText(to, offer.origin)
  if (answerMs === undefined) putNil(to)
  else putCount(to, answerMs)
  if (!hasAffinity) return
  if (affinity === undefined) putNil(to)
  else putId(to, affinity, 'an affinity')
  putCount(to, pinned)
}

/**
 * Reads the payload of a OFFER.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeOffer(payload: Uint8Array): Offer {
  const offer = readElements(payload, 'OFFER', offerOf)
  if (offer.upgrade !== undefined && offer.body.kind !== 'none')
    throw malformed('OFFER', 'an upgrade has no body before its 101')
  return offer
}

const offerOf = (from: PositionalReader): Offer => new DecodedOffer(from)

/**
 * A class, and so are the other heads that live as long as an exchange: V8 may take what is always
 * made in one place for long-lived, but no instance of a class. What it once took so would keep all
 * its texts until the next full collection.
 */
class DecodedOffer implements Offer {
  declare readonly id: ExchangeId
  declare readonly attempt: number
  declare readonly applicationId: string
  declare readonly applicationVersion: string
  declare readonly method: string
  declare readonly target: string
  declare readonly headers: HeaderList
  declare readonly user: UserClaims | undefined
  declare readonly body: BodyKind
  declare readonly upgrade: string | undefined
  declare readonly remainingMs: number
  declare readonly origin: string
  declare readonly answerMs: number | undefined
  declare readonly affinity: string | undefined
  declare readonly pinned: number | undefined

  /** Its elements in their order. */
  constructor(from: PositionalReader) {
    this.id = from.id('id')
    this.attempt = attempt(from)
    this.applicationId = from.name('applicationId')
    this.applicationVersion = from.name('applicationVersion')
    this.method = from.octets('method', isToken)
    this.target = from.octets('target', isTarget)
    this.headers = from.headers()
    this.user = userClaims(from.next())
    this.body = bodyKind(from.next())
    this.upgrade = from.optional('upgrade', isProtocol)
    this.remainingMs = from.count('remainingMs')
    this.origin = from.name('origin')
    this.answerMs = from.countOr('answerMs', undefined)
    this.affinity = from.optionalId('affinity')
    this.pinned = from.countOr('pinned', undefined, 1)
  }
}

/** `[id, attempt, credit]` */
export function encodeClaim(claim: Claim): Uint8Array {
  return encoded(writeClaim, claim)
}

/** As {@link encodeClaim}, to where it leaves from. */
export function writeClaim(to: Slab, { id, attempt, credit }: Claim): void {
  putList(to, 3)
  putExchangeId(to, id)
  putCount(to, attempt)
  putCount(to, credit)
}

/**
 * Reads the payload of a CLAIM.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeClaim(payload: Uint8Array): Claim {
  return readElements(payload, 'CLAIM', claimOf)
}

function claimOf(from: PositionalReader): Claim {
  const [id, tried] = [from.id('id'), attempt(from)]
  return { id, attempt: tried, credit: from.count('credit', FIRST_CREDIT_BYTES) }
}

/** `[id, attempt, reason]` */
export function encodeDecline(decline: Decline): Uint8Array {
  return encoded(writeDecline, decline)
}

/** As {@link encodeDecline}, to where it leaves from. */
export function writeDecline(to: Slab, { id, attempt, reason }: Decline): void {
  putList(to, 3)
  putExchangeId(to, id)
  putCount(to, attempt)
  putText(to, reason)
}

/**
 * Reads the payload of a DECLINE.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeDecline(payload: Uint8Array): Decline {
  return readElements(payload, 'DECLINE', declineOf)
}

function declineOf(from: PositionalReader): Decline {
  const [id, tried, reason] = [from.id('id'), attempt(from), from.name('reason')]
  // A reason of a later version says no more than that somebody else should take it.
  return { id, attempt: tried, reason: isDeclineReason(reason) ? reason : 'overloaded' }
}

/** `[status, headers]`, for RESPONSE and INFORMATIONAL. */
export function encodeResponseHead(head: ResponseHead): Uint8Array {
  return encoded(writeResponseHead, head)
}

/** As {@link encodeResponseHead}, to where it leaves from. */
export function writeResponseHead(to: Slab, { status, headers }: ResponseHead): void {
  putList(to, 2)
  putCount(to, status)
  putTexts(to, headers)
}

/** The head of a RESPONSE: 101, or 200 and above. */
export function decodeResponse(payload: Uint8Array): ResponseHead {
  const head = readElements(payload, 'RESPONSE', responseOf)
  if (head.status !== 101 && head.status < 200) throw malformed('RESPONSE', UNUSABLE_STATUS)
  return head
}

/** The head of an INFORMATIONAL: 1xx except 101, which answers for good. */
export function decodeInformational(payload: Uint8Array): ResponseHead {
  const head = readElements(payload, 'INFORMATIONAL', responseOf)
  if (head.status === 101 || head.status >= 200) throw malformed('INFORMATIONAL', UNUSABLE_STATUS)
  return head
}

const UNUSABLE_STATUS = '"status" is not one it may carry'

function responseOf(from: PositionalReader): ResponseHead {
  const status = from.count('status', 999)
  if (status < 100) throw malformed(from.frame, UNUSABLE_STATUS)
  return new DecodedResponse(status, from.headers(MAX_ANSWER_FIELDS))
}

/** `[headers]` */
export function encodeTrailers(trailers: HeaderList): Uint8Array {
  return encoded(writeTrailers, trailers)
}

/** As {@link encodeTrailers}, to where they leave from. */
export function writeTrailers(to: Slab, trailers: HeaderList): void {
  putList(to, 1)
  putTexts(to, trailers)
}

/**
 * Reads the payload of a TRAILERS.
 *
 * @throws PeerViolation `MALFORMED_FRAME`
 */
export function decodeTrailers(payload: Uint8Array): HeaderList {
  return readElements(payload, 'TRAILERS', (from) => from.headers(MAX_ANSWER_FIELDS))
}

class DecodedResponse implements ResponseHead {
  declare readonly status: number
  declare readonly headers: HeaderList

  constructor(status: number, headers: HeaderList) {
    this.status = status
    this.headers = headers
  }
}

function attempt(from: PositionalReader): number {
  const attempt = from.count('attempt')
  if (attempt === 0) throw malformed(from.frame, '"attempt" counts from 1')
  return attempt
}

function putExchangeId(to: Slab, id: ExchangeId): void {
  putId(to, id, 'an exchange id')
}

/** In memory of its own. */
function encoded<Head>(write: (to: Slab, head: Head) => void, head: Head): Uint8Array {
  const to = new Slab()
  write(to, head)
  return to.octets.subarray(0, to.at)
}

const NO_BODY: BodyKind = Object.freeze({ kind: 'none' })
const STREAMED_BODY: BodyKind = Object.freeze({ kind: 'streamed' })

function bodyKind(value: unknown): BodyKind {
  if (value === false) return NO_BODY
  if (value === true) return STREAMED_BODY
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw malformed('OFFER', '"body" must be true, false or a length')
  return { kind: 'length', bytes: value as number }
}

function userClaims(value: unknown): UserClaims | undefined {
  if (value === undefined) return undefined
  if (!isMap(value)) throw malformed('OFFER', '"user" must be a map')
  return new DecodedUser(value)
}

/** What is known of a user, and nothing that is undefined. Their name at their issuer always is. */
class DecodedUser implements UserClaims {
  declare readonly subject: string
  declare readonly issuer: string
  declare readonly name?: string
  declare readonly email?: string
  declare readonly groups?: readonly string[]
  declare readonly roles?: readonly string[]
  declare readonly claims?: TypedClaims

  constructor({ subject, issuer, name, email, groups, roles, claims }: Record<string, unknown>) {
    this.subject = claimed('subject', subject, isName)
    this.issuer = claimed('issuer', issuer, isName)
    if (name !== undefined) this.name = claimed('name', name, isText)
    if (email !== undefined) this.email = claimed('email', email, isText)
    if (groups !== undefined) this.groups = claimed('groups', groups, isTexts)
    if (roles !== undefined) this.roles = claimed('roles', roles, isTexts)
    if (claims === undefined) return
    const fault = typedClaimsFault(claims)
    if (fault !== undefined) throw malformed('OFFER', fault)
    this.claims = claims as TypedClaims
  }
}

function claimed<T>(name: string, value: unknown, is: (value: unknown) => value is T): T {
  if (!is(value)) throw malformed('OFFER', `"${name}" of the user is none`)
  return value
}

/** The map of a user's claims, and of no others. Almost every user's come with many requests. */
function packed(user: UserClaims): Uint8Array {
  let octets = PACKED.get(user)
  if (octets !== undefined) return octets
  const { subject, issuer, name, email, groups, roles, claims } = user
  octets = encode({ subject, issuer, name, email, groups, roles, claims })
  PACKED.set(user, octets)
  return octets
}

const PACKED = new WeakMap<UserClaims, Uint8Array>()

function isDeclineReason(text: string): text is DeclineReason {
  return Object.hasOwn(DECLINE_REASONS, text)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isName(value: unknown): value is string {
  return isText(value) && value !== ''
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText)
}

function isProtocol(text: string): boolean {
  return text !== '' && isFieldValue(text)
}
