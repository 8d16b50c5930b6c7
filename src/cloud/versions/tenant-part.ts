/**
 * What a tenant's own publisher may change: the tenant's part of the directory, and of that not
 * what is for the operator of the service to say. Nothing that is told of it is of another tenant.
 *
 * @module
 */
import type { ConfigurationMistake } from '../../protocol/internal.ts'
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import { readDirectory } from '../directory/directory-configuration.ts'
import { placeHostOf } from '../directory/wildcard.ts'
import {
  isSame,
  isWritten,
  KINDS,
  partOf,
  withPart,
  type Written,
  type WrittenDirectory,
} from './written-directory.ts'

/**
 * Members of a tenant that its publisher may change. All others are the service's to say: limits,
 * the issuer, and how connectors are let in.
 */
const OWN: ReadonlySet<string> = new Set([
  'name',
  'enrolmentTickets',
  'defaultGroupId',
  'locations',
  'policies',
  'session',
  'branding',
])

/** What must not be in a part, whatever else is in it. */
export function partMistakes(
  value: unknown,
  before: WrittenDirectory,
  tenantId: string,
): readonly ConfigurationMistake[] {
  const mistakes: ConfigurationMistake[] = []
  const given = isWritten(value) ? value['tenants'] : undefined
  const tenants: readonly unknown[] = Array.isArray(given) ? given : []
  if (!tenants.some((one) => isWritten(one) && one['id'] === tenantId))
    mistakes.push({ path: 'tenants', detail: 'must have your tenant, as it is shown' })
  tenants.forEach((tenant, i) => {
    if (!isWritten(tenant)) return
    if (tenant['id'] !== tenantId)
      mistakes.push({ path: `tenants[${i}].id`, detail: 'is not your tenant' })
    else mistakes.push(...serviceMistakes(tenant, before.tenants[0] ?? {}, `tenants[${i}]`))
  })
  return mistakes
}

function serviceMistakes(tenant: Written, before: Written, at: string): ConfigurationMistake[] {
  return [...new Set([...Object.keys(tenant), ...Object.keys(before)])]
    .filter((name) => !OWN.has(name) && !isSame(tenant[name], before[name]))
    .map((name) => ({
      path: `${at}.${name}`,
      detail: 'is for the operator of the service to change',
    }))
}

/**
 * The whole with another part of a tenant's, which is sound by itself.
 *
 * @throws ConfigurationInvalid with where it meets what others have, and nothing of theirs
 */
export function mergedPart(
  whole: WrittenDirectory,
  tenantId: string,
  part: WrittenDirectory,
): WrittenDirectory {
  const mistakes = hostMistakes(whole, tenantId, part)
  const merged = withPart(whole, tenantId, part)
  // With the part last what meets something is told of the part.
  const others = withPart(whole, tenantId, { tenants: [], groups: [], applications: [] })
  const checked = {
    tenants: [...others.tenants, ...part.tenants],
    groups: [...others.groups, ...part.groups],
    applications: [...others.applications, ...part.applications],
  }
  try {
    readDirectory(checked)
  } catch (error) {
    if (!(error instanceof ConfigurationInvalid)) throw error
    for (const { path } of error.mistakes) mistakes.push(ownMistake(path, others))
  }
  if (mistakes.length > 0) throw new ConfigurationInvalid(uniqueOnes(mistakes))
  return merged
}

const MET = 'meets what is not yours: it is taken'

/** The place in the part; what is wrong elsewhere is told of the whole. */
function ownMistake(path: string, others: WrittenDirectory): ConfigurationMistake {
  const found = /^(tenants|groups|applications)\[(\d+)\](.*)$/s.exec(path)
  const kind = KINDS.find((one) => one === found?.[1])
  const index = kind === undefined ? -1 : Number(found![2]) - others[kind].length
  if (index < 0) return { path: '', detail: 'does not go with what others have' }
  return { path: `${kind}[${index}]${found![3]}`, detail: MET }
}

/** Pages of one host share cookies and scripts: a host is one tenant's. */
function hostMistakes(
  whole: WrittenDirectory,
  tenantId: string,
  part: WrittenDirectory,
): ConfigurationMistake[] {
  const own = new Set(hostsOf(partOf(whole, tenantId)))
  const others = withPart(whole, tenantId, { tenants: [], groups: [], applications: [] })
  const taken = hostsOf(others).filter((host) => host !== undefined)
  const names = new Set(taken)
  const below = new Set(taken.map(wildcardOver))
  return hostsOf(part).flatMap((host, i) => {
    if (host === undefined || own.has(host)) return []
    const meets = names.has(host) || names.has(wildcardOver(host)) || below.has(host)
    return meets ? [{ path: `applications[${i}].externalUrl`, detail: MET }] : []
  })
}

function hostsOf({ applications }: WrittenDirectory): readonly (string | undefined)[] {
  return applications.map(({ externalUrl }) =>
    typeof externalUrl === 'string' ? placeHostOf(externalUrl) : undefined,
  )
}

/** The wildcard that would have the host: `*.apps.example`. */
const wildcardOver = (host: string) => host.replace(/^[^.]+/, '*')

function uniqueOnes(mistakes: readonly ConfigurationMistake[]): readonly ConfigurationMistake[] {
  return [...new Map(mistakes.map((one) => [one.path, one])).values()]
}

/** A tenant's part as it was, with what is the service's to say as it is now. */
export function restoredPart(
  then: WrittenDirectory,
  now: WrittenDirectory,
  tenantId: string,
): WrittenDirectory {
  const part = partOf(then, tenantId)
  const current = partOf(now, tenantId).tenants[0] ?? {}
  const kept = Object.entries(current).filter(([name]) => !OWN.has(name))
  const back = Object.entries(part.tenants[0] ?? {}).filter(([name]) => OWN.has(name))
  return { ...part, tenants: [Object.fromEntries([...kept, ...back])] }
}
