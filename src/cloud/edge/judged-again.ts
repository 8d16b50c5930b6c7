/**
 * What is open is judged again, by the rules for a new request: when the directory has another
 * object for its application, and twice a second who may.
 *
 * @module
 */
import { ExchangeFailed, readTarget } from '../../protocol/internal.ts'
import { publishedOf, selectApplication, type Published } from '../directory/published.ts'
import type { Application, Directory } from '../directory/directory-port.ts'
import type { DecideAccess } from '../policy/verdict.ts'
import type { LiveExchange, Judgement } from '../request/live-exchanges.ts'
import { checkOtherSite } from './other-site.ts'
import { checkOrigin, upgradeWish } from '../request/upgrade.ts'

/**
 * Whether an open exchange goes on. An application whose object is the same costs a look-up, and
 * the decision where there is a user.
 */
export function judgedAgain(
  exchange: LiveExchange,
  directory: Directory,
  decideAccess: DecideAccess,
): Judgement {
  const { application: before, caller } = exchange
  const now = directory.application(before.id)
  if (now === undefined) return 'application-changed'
  if (now !== (before.segment?.of ?? before)) {
    // What reaches several parts is asked for again.
    if (exchange.reaches !== undefined) return 'application-changed'
    const judgement = byTheNew(exchange, before, now, directory)
    if (typeof judgement === 'string') return judgement
    exchange.application = judgement.application
    if (now.maintenance?.endsOpen === true) return 'application-changed'
  }
  if (caller.user === undefined) return 'goes-on'
  // Who must sign in more strongly may end what they do; their next request goes to the issuer.
  const isDenied = (part: Published) =>
    part.application.preAuthentication === 'oidc' &&
    decideAccess(part, caller, exchange).kind === 'deny'
  const isOver =
    isDenied(publishedOf(exchange.application)) || exchange.reaches?.some(isDenied) === true
  return isOver ? 'session-ended' : 'goes-on'
}

/** The part of the new application that it lies in now, or that it ends. */
function byTheNew(
  exchange: LiveExchange,
  before: Application,
  now: Application,
  directory: Directory,
): Published | Exclude<Judgement, 'goes-on'> {
  if (!isSamePlace(before, now)) return 'application-changed'
  const { head, caller } = exchange
  const { path } = readTarget(head.target, head.authority)
  const whole = selectApplication(directory.applicationsOn(head.authority), path)
  // Another one may have been published below the same host since.
  if (whole?.application.id !== now.id) return 'application-changed'
  const selected = partAt(whole, path)
  if (selected === undefined) return 'application-changed'
  if (isGranted(exchange, before, path) && !isGranted(exchange, now, path))
    return 'application-changed'
  if (selected.application.preAuthentication === 'passthrough') return selected
  if (caller.user === undefined) return 'application-changed'
  if (caller.showsToken === true)
    return JSON.stringify(before.bearer) === JSON.stringify(now.bearer) ? selected : 'session-ended'
  try {
    if (upgradeWish(head) !== undefined) checkOrigin(head, selected)
    checkOtherSite(head, selected, path)
    return selected
  } catch {
    return 'application-changed'
  }
}

/** Undefined: with the segments of now a path can be read as one of several. */
function partAt(whole: Published, path: string): Published | undefined {
  try {
    return whole.at(path)
  } catch (error) {
    if (error instanceof ExchangeFailed) return undefined
    throw error
  }
}

/**
 * Whether the exchange still goes where the application is published now: the same tenant, group
 * and URLs, and no certificate that would now be refused.
 */
function isSamePlace(before: Application, now: Application): boolean {
  return (
    before.tenantId === now.tenantId &&
    before.groupId === now.groupId &&
    before.internalUrl === now.internalUrl &&
    before.externalUrl === now.externalUrl &&
    (before.verifyCertificate || !now.verifyCertificate)
  )
}

/** Whether a page of another site may read the answer, by the application's rule. */
function isGranted({ head }: LiveExchange, application: Application, path: string): boolean {
  const { cors }: Published = publishedOf(application)
  return cors !== undefined && cors.covers(path) && cors.grants(head) !== cors.grantsNothing
}
