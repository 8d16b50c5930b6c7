/**
 * Where browsers report to. Reports that would go inside, or be made for more than the application,
 * are not asked for.
 *
 * @see Reporting API; Network Error Logging
 * @module
 */

/** What becomes of the URL that reports go to. */
export type ReportUrl = (url: string) => string | undefined

/** A field, translated; `undefined`: it is dropped. */
export function translateEndpoints(value: string, reported: ReportUrl): string | undefined {
  const members = value.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+|"/g) ?? []
  let isChanged = false
  const kept = members.flatMap((member) => {
    const match = /^([^"]*=[\t ]*")((?:[^"\\]|\\.)*)("[^]*)$/.exec(member)
    if (match === null) return [member]
    const [, before, url = '', after] = match
    const one = url.includes('\\') ? undefined : reported(url)
    isChanged ||= one !== url
    return one === undefined || /["\\]/.test(one) ? [] : [before + one + after]
  })
  if (!isChanged) return value
  return kept.length === 0 ? undefined : kept.join(',').replace(/^[\t ]+/, '')
}

/** Groups of endpoints, for all that comes from the host. */
export function translateGroups(
  value: string,
  reported: ReportUrl,
  isHostShared: boolean,
): string | undefined {
  const groups = isHostShared ? undefined : objects(value)
  if (groups === undefined) return undefined
  let isChanged = false
  const kept = groups.flatMap((group) => {
    const { endpoints = [] } = group
    const isKept = group['include_subdomains'] !== true && Array.isArray(endpoints)
    const list = isKept ? (endpoints as unknown[]).map((one) => withUrl(one, reported)) : []
    const known = list.filter((one) => one !== undefined)
    isChanged ||= !isKept || known.length !== list.length || known.some((one) => one.isChanged)
    if (!isKept || (list.length > 0 && known.length === 0)) return []
    return [{ ...group, endpoints: known.map(({ endpoint }) => endpoint) }]
  })
  if (!isChanged) return value
  return kept.length === 0 ? undefined : kept.map((group) => JSON.stringify(group)).join(', ')
}

/** A policy of error reports, for all that comes from the host. */
export function translateErrorLogging(value: string, isHostShared: boolean): string | undefined {
  const policies = isHostShared ? undefined : objects(value)
  if (policies === undefined || policies.some((one) => one['include_subdomains'] === true))
    return undefined
  return value
}

function withUrl(endpoint: unknown, reported: ReportUrl) {
  const url = (endpoint as { url?: unknown } | null)?.url
  const one = typeof url === 'string' ? reported(url) : undefined
  if (one === undefined) return undefined
  return { endpoint: { ...(endpoint as object), url: one }, isChanged: one !== url }
}

/** JSON objects, separated by commas. */
function objects(value: string): Record<string, unknown>[] | undefined {
  try {
    const list = JSON.parse(`[${value}]`) as unknown[]
    const isOfObjects = list.every(
      (one) => typeof one === 'object' && one !== null && !Array.isArray(one),
    )
    return isOfObjects ? (list as Record<string, unknown>[]) : undefined
  } catch {
    return undefined
  }
}
