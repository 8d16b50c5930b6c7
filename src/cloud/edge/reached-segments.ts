/**
 * Which segments of an application a request reaches: the one that its target lies in, and others
 * beside it, by methods that are for all that lies below, or that name a second place. Whoever asks
 * must be admitted to each of them.
 *
 * For an application without segments there is nothing to do.
 *
 * @see docs/publishing.md, "Segments"; RFC 4918; RFC 5842; RFC 3253
 * @module
 */
import {
  ExchangeFailed,
  FoldedNames,
  headerValues,
  joinInternal,
  pathAfter,
  readTarget,
  selectByPath,
  type HeaderList,
  type Target,
} from '../../protocol/internal.ts'
import type { Application } from '../directory/directory-port.ts'
import { METHOD_FIELDS } from '../directory/path-fields.ts'
import { selectApplication, type Published } from '../directory/published.ts'
import type { EdgeRequest } from '../request/edge-request.ts'

/**
 * How far a method reaches: to its target; to all below it, or so by its `Depth`; or anywhere,
 * because its body names what it is about.
 */
type Reach = 'target' | 'below' | 'by-depth' | 'anywhere'

// prettier-ignore
const REACHES: Readonly<Record<string, Reach>> = {
  GET: 'target', HEAD: 'target', POST: 'target', PUT: 'target', PATCH: 'target', OPTIONS: 'target',
  TRACE: 'target', QUERY: 'target', MKCOL: 'target', MKCALENDAR: 'target', PROPPATCH: 'target',
  UNLOCK: 'target', ACL: 'target',
  PROPFIND: 'by-depth', LOCK: 'by-depth', COPY: 'by-depth',
  DELETE: 'below', MOVE: 'below', REPORT: 'below',
  SEARCH: 'anywhere', BIND: 'anywhere', UNBIND: 'anywhere', REBIND: 'anywhere', LINK: 'anywhere',
  UNLINK: 'anywhere', MKREDIRECTREF: 'anywhere', UPDATEREDIRECTREF: 'anywhere', MERGE: 'anywhere',
  UPDATE: 'anywhere', 'BASELINE-CONTROL': 'anywhere', MKWORKSPACE: 'anywhere',
}
/** What nobody knows is taken for one that is for all below. */
const reachOf = (method: string): Reach =>
  (Object.hasOwn(REACHES, method) ? REACHES[method] : undefined) ?? 'below'

/** Names of fields that say more of the reach than the method does. */
const TELLING = new FoldedNames(['destination', ...METHOD_FIELDS])
const METHODS = new FoldedNames(METHOD_FIELDS)

/**
 * The part of an application that decides about a request; the others that it reaches are noted in
 * `request.reaches`.
 *
 * @throws ExchangeFailed `user-malformed` for a target or destination that can be read as one of
 *   several, and for a destination elsewhere
 */
export function reachedPart(
  request: EdgeRequest,
  whole: Published,
  target: Target,
  applications: readonly Application[],
): Published {
  request.site = request.asked = whole.application
  if (!whole.isSegmented) return whole
  const { head } = request.user
  const own = whole.at(target.path)
  request.asked = own.application
  const [fields, reach] = [tellingFields(head.headers), reachOf(head.method)]
  if (fields === undefined && reach === 'target') return own
  const reached = new Set([own])
  const below = (path: string) => whole.segments.below(path).forEach((part) => reached.add(part))
  for (const each of [reach, ...methodsOf(fields ?? []).map(reachOf)]) {
    if (each === 'anywhere') below('/')
    if (each === 'anywhere') reached.add(whole)
    if (each === 'below' || (each === 'by-depth' && !isShallow(head.headers))) below(target.path)
  }
  for (const path of destinationsOf(fields ?? [], head.authority, whole, applications)) {
    reached.add(whole.at(path))
    // What is there is deleted first.
    below(path)
  }
  // Somebody has to be known where any part asks who they are.
  const judged = isAsking(own) ? own : ([...reached].find(isAsking) ?? own)
  reached.delete(judged)
  if (reached.size > 0) request.reaches = [...reached]
  return judged
}

const isAsking = ({ application }: Published) => application.preAuthentication !== 'passthrough'

/** Undefined: there are none. */
function tellingFields(headers: HeaderList): HeaderList | undefined {
  let found: string[] | undefined
  for (let i = 0; i < headers.length; i += 2)
    if (TELLING.has(headers[i]!)) (found ??= []).push(headers[i]!, headers[i + 1]!)
  return found
}

/** Methods that are meant in the place of the one that is said. */
function methodsOf(fields: HeaderList): readonly string[] {
  return fields.flatMap((name, i) =>
    i % 2 === 0 && METHODS.has(name)
      ? fields[i + 1]!.split(',').map((method) => method.trim().toUpperCase())
      : [],
  )
}

/** Neither all members are meant, nor is it left open. */
function isShallow(headers: HeaderList): boolean {
  const depths = headerValues(headers, 'depth')
  return depths.length === 1 && (depths[0] === '0' || depths[0] === '1')
}

/** The paths that something is to come to, as users see them: each as a server may read it. */
function destinationsOf(
  fields: HeaderList,
  authority: string,
  whole: Published,
  applications: readonly Application[],
): readonly string[] {
  return fields.flatMap((name, i) => {
    if (i % 2 !== 0 || METHODS.has(name)) return []
    const value = fields[i + 1]!
    // A path with a host before it, to those who read it as a reference.
    if (value.startsWith('//')) throw elsewhere()
    const { path } = readTarget(value, authority)
    if (selectApplication(applications, path) !== whole) throw elsewhere()
    return [path, ...asInternal(path, whole.application)]
  })
}

/** The same path, if the application reads it as one of its own. */
function asInternal(path: string, { externalUrl, internalUrl }: Application): readonly string[] {
  const [outside, inside] = [new URL(externalUrl).pathname, new URL(internalUrl).pathname]
  if (outside === inside || selectByPath(path, [inside]) === undefined) return []
  return [joinInternal(outside, pathAfter(inside, path))]
}

function elsewhere(): ExchangeFailed {
  return new ExchangeFailed('user', 'user-malformed', { cause: 'a destination elsewhere' })
}
