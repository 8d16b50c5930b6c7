/**
 * What pages of other sites may read of an answer that is given before an application is chosen:
 * a script is to see the status, where a rule lets it see what the application says.
 *
 * @see spec/PROTOCOL.md, "Cross-origin requests"
 * @module
 */
import { headerValue, isReserved, readTarget, type HeaderList } from '../../protocol/internal.ts'
import { publishedOf, selectApplication, type Published } from '../directory/published.ts'
import type { Application } from '../directory/directory-port.ts'
import { isPreflight, type CorsRule } from '../directory/cors-rule.ts'
import type { UserRequestHead } from './user-exchange.ts'

/** Never more than each rule grants that may be the one. Undefined: no rule is. */
export function unchosenGrants(
  applications: readonly Application[],
  head: UserRequestHead,
): HeaderList | undefined {
  const path = readablePath(head)
  const rules = candidates(applications, path).flatMap(({ cors }) => cors ?? [])
  const covers = rules.map((rule) => coversPath(rule, path))
  // An unreadable target may or may not lie below a rule's paths.
  if (covers.includes('unknown')) return VARY
  return common(
    rules.filter((_, i) => covers[i] === true),
    head,
  )
}

const VARY: HeaderList = ['Vary', 'Origin']

function readablePath({ target, authority }: UserRequestHead): string | undefined {
  try {
    return readTarget(target, authority).path
  } catch {
    return undefined
  }
}

/** The one that the path belongs to; all of them, where that cannot be known. */
function candidates(
  applications: readonly Application[],
  path: string | undefined,
): readonly Published[] {
  const all = applications.map(publishedOf)
  if (path === undefined || isReserved(path)) return all
  try {
    const selected = selectApplication(applications, path)
    return selected === undefined ? all : [selected]
  } catch {
    return all
  }
}

function coversPath(rule: CorsRule, path: string | undefined): boolean | 'unknown' {
  if (rule.isForAllPaths) return true
  if (path === undefined) return 'unknown'
  try {
    return rule.covers(path)
  } catch {
    return 'unknown'
  }
}

/** What all of them grant. */
function common(rules: readonly CorsRule[], head: UserRequestHead): HeaderList | undefined {
  const [rule] = rules
  if (rule === undefined) return undefined
  // A refused preflight grants nothing, whoever asks.
  if (isPreflight(head)) return rules.every(({ isAny }) => isAny) ? [] : VARY
  if (rules.length === 1) return rule.grants(head)
  if (rules.every(({ isAny }) => isAny)) return ['Access-Control-Allow-Origin', '*', ...EXPOSED]
  const grants = rules.map((one) => one.grants(head))
  if (grants.some((granted) => headerValue(granted, ALLOW_ORIGIN) === undefined)) return VARY
  const isWithCredentials = grants.every(
    (granted) => headerValue(granted, ALLOW_CREDENTIALS) === 'true',
  )
  return [
    ...['Access-Control-Allow-Origin', headerValue(head.headers, 'origin')!],
    ...(isWithCredentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
    ...EXPOSED,
    ...VARY,
  ]
}

const ALLOW_ORIGIN = 'access-control-allow-origin'
const ALLOW_CREDENTIALS = 'access-control-allow-credentials'
/** Of our own answers every rule exposes this. */
const EXPOSED: HeaderList = ['Access-Control-Expose-Headers', 'WWW-Authenticate']
