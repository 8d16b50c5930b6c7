/**
 * What of a session is sealed into its cookie: short, because it travels with every request, and
 * below 3 KiB whatever the issuer says of the user.
 *
 * @module
 */
import * as v from 'valibot'
import type { SignInIdentity } from '../../protocol/machines/sign-in.ts'
import { namedBy } from '../rules/named.ts'
import type { Application } from '../directory/directory-port.ts'
import { claimOfHeader } from '../rules/identity-claims.ts'
import { publishedOf } from '../directory/published.ts'
import type { Session } from './session.ts'
import type { SessionSpan } from './session-lifetime.ts'
import { SignInDenied } from '../identity/sign-in-errors.ts'

/** The whole cookie, name and value, stays below this. */
export const MAX_SESSION_CHARACTERS = 3 * 1024

const text = v.string()
const claim = v.union([text, v.number(), v.boolean()])
/** The version is part of it: a cookie of another one is no session. */
export const SealedSession = v.object({
  v: v.literal(3),
  id: text,
  sub: text,
  iss: text,
  sid: v.optional(text),
  acr: v.optional(text),
  acrs: v.optional(v.array(text)),
  amr: v.optional(v.array(text)),
  upn: v.optional(text),
  name: v.optional(text),
  email: v.optional(text),
  groups: v.optional(v.array(text)),
  roles: v.optional(v.array(text)),
  iat: v.number(),
  auth: v.optional(v.number()),
  claims: v.optional(v.record(text, v.union([claim, v.array(claim)]))),
  part: v.optional(v.literal(true)),
  cut: v.optional(text),
  told: v.optional(text),
  exp: v.number(),
  since: v.optional(v.number()),
  fresh: v.optional(v.number()),
  made: v.optional(v.number()),
  act: v.optional(v.number()),
  grant: v.optional(v.literal(true)),
})
export type SealedSession = v.InferOutput<typeof SealedSession>

/**
 * The form to seal, made to fit a cookie of that name.
 *
 * What is too much is left out from the end of the lists: the list that no identity header of the
 * application tells, then the other, those groups and roles last that its assignment or its
 * policies name; then the name. What policies know a user by, or the application is told by the
 * issuer's name, is never left out.
 *
 * @throws SignInDenied `token-too-large` when even that does not fit
 */
export function sealedSession(
  id: string,
  user: SignInIdentity,
  span: SessionSpan,
  application: Application,
  cookieName: string,
): SealedSession {
  const named = namedBy(application)
  const namedFirst = (list: readonly string[] | undefined, names: ReadonlySet<string>) =>
    list?.toSorted((a, b) => Number(names.has(b)) - Number(names.has(a)))
  const known: { [Name in keyof SealedSession]: SealedSession[Name] | undefined } = {
    v: 3,
    id,
    sub: user.subject,
    iss: user.issuer,
    sid: user.issuerSession,
    acr: user.strength,
    acrs: user.contexts && [...user.contexts],
    amr: user.methods && [...user.methods],
    upn: user.upn,
    name: user.name,
    email: user.email,
    groups: namedFirst(user.groups, named.groups),
    roles: namedFirst(user.roles, named.roles),
    iat: span.startedAt,
    auth: user.authenticatedAt,
    exp: span.expiresAt,
    since: span.since,
    fresh: span.freshUntil,
    made: span.renewedAt,
    act: span.activeAt,
    grant: span.hasGrant,
    claims: user.claims as SealedSession['claims'],
    told: publishedOf(application).custom,
    part: user.isPartial === true ? true : undefined,
  }
  const sealed = Object.fromEntries(
    Object.entries(known).filter(([, value]) => value !== undefined),
  ) as SealedSession
  const told = new Set(Object.values(application.identityHeaders).map(claimOfHeader))
  const fitting = fit(sealed, roomFor(cookieName), told.has('roles') && !told.has('groups'))
  const lost = (
    list: readonly string[] = [],
    kept: readonly string[] = [],
    names: ReadonlySet<string>,
  ) => list.slice(kept.length).some((name) => names.has(name))
  const isPartial =
    lost(sealed.groups, fitting.groups, named.groups) ||
    lost(sealed.roles, fitting.roles, named.roles)
  const length = ({ groups = [], roles = [] }: SealedSession) => groups.length + roles.length
  return {
    ...fitting,
    ...(isPartial && { part: true }),
    // Say that the lists are cut: later rules may name members that are missing.
    ...(length(fitting) < length(sealed) && { cut: publishedOf(application).names }),
  }
}

/** The session that a sealed form tells. */
export function openedSession(sealed: SealedSession): Session {
  const { id, sub, iss, sid, acr, amr, upn, name, email, groups, roles, iat, auth, exp } = sealed
  const { acrs, claims, part, cut, told, since, fresh, made, act, grant } = sealed
  return {
    id,
    user: {
      subject: sub,
      issuer: iss,
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email }),
      ...(groups && { groups }),
      ...(roles && { roles }),
    },
    ...(upn !== undefined && { upn }),
    startedAt: iat,
    ...(auth !== undefined && { authenticatedAt: auth }),
    ...(acr !== undefined && { strength: acr }),
    ...(acrs && { contexts: acrs }),
    ...(amr && { methods: amr }),
    ...(sid !== undefined && { issuerSession: sid }),
    ...(claims && { claims }),
    ...(part && { isPartial: part }),
    ...(cut !== undefined && { cutFor: cut }),
    ...(told !== undefined && { toldFor: told }),
    expiresAt: exp,
    ...(since !== undefined && { since }),
    ...(fresh !== undefined && { freshUntil: fresh }),
    ...(made !== undefined && { renewedAt: made }),
    ...(act !== undefined && { activeAt: act }),
    ...(grant && { hasGrant: grant }),
  }
}

/**
 * Octets of JSON that fit. Base64url makes 4 characters of 3 octets; header, nonce and tag take
 * about 150, the notes on what was cut 60.
 */
const roomFor = (name: string) =>
  Math.floor(((MAX_SESSION_CHARACTERS - name.length - 1 - 210) * 3) / 4)

function fit(sealed: SealedSession, room: number, rolesFirst: boolean): SealedSession {
  const { name, ...nameless } = sealed
  const { groups = [], roles = [] } = sealed
  let left = room - octets({ ...sealed, groups: [], roles: [] })
  if (left < 0 && name !== undefined) return fit(nameless, room, rolesFirst)
  // Nothing else may be left out: policies may compare it.
  if (left < 0) throw new SignInDenied('token-too-large', 'session')
  const take = (list: readonly string[]) => list.filter((item) => (left -= octets(item) + 1) >= 0)
  const keptRoles = rolesFirst ? take(roles) : undefined
  const keptGroups = take(groups)
  return {
    ...sealed,
    ...(sealed.groups && { groups: keptGroups }),
    ...(sealed.roles && { roles: keptRoles ?? take(roles) }),
  }
}

const octets = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length
