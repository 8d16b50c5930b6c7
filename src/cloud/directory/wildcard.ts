/**
 * Wildcard applications: `https://*.apps.example/` is an application for each listed label.
 *
 * A label is one host and one internal URL, known before anybody asks for it: so nobody can make
 * this service ask inside for a name of their choice, and a name that is not listed is published by
 * nobody. From here on each is an application as any other, with a host, a session, a version and
 * an id (`apps/mail`) of its own.
 *
 * @see docs/publishing.md
 * @module
 */
import * as v from 'valibot'
import { parse } from 'tldts'
import { canonicalHost } from '../../protocol/internal.ts'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { tellFault, text } from './configuration-values.ts'
import { externalUrlFault, internalUrlFault } from './published-url.ts'

/** Of one application. A connector group with more than 1 000 is told of none beforehand. */
const MAX_LABELS = 1_000

/**
 * One label of a host name: lower-case letters, digits and hyphens (RFC 5890 section 2.3.1). None
 * that is reserved, `xn--` among them: people would read another name than the one that is listed.
 */
const LABEL = /^(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export const LabelsConfiguration = v.union([v.array(text), v.record(v.string(), text)])

/** Of an application, as it is written: what makes it a wildcard. */
export interface WildcardPart {
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly externalUrl?: string | undefined
  readonly internalUrl?: string | undefined
  readonly labels?: v.InferOutput<typeof LabelsConfiguration> | undefined
  readonly signOn?: { readonly kind: string } | undefined
  readonly bearer?: { readonly resource?: string | undefined } | undefined
}

/** Which label of which application an application is. */
export interface WildcardLabel {
  /** The id that the configuration has, and policies name. */
  readonly applicationId: string
  readonly label: string
}

/** What policies, and revocations of a whole application, name it by. */
export const policyNameOf = ({
  id,
  wildcard,
}: {
  readonly id: string
  readonly wildcard?: WildcardLabel | undefined
}): string => wildcard?.applicationId ?? id

export const isWildcard = (externalUrl: string | undefined): boolean =>
  externalUrl?.includes('*') === true

/** The labels that it has, in order. */
export function labelsOf({ labels = [] }: WildcardPart): readonly string[] {
  return Array.isArray(labels) ? (labels as readonly string[]) : Object.keys(labels)
}

/** An application of its own, for one of its labels. */
export function atLabel<T extends WildcardPart>(
  wildcard: T,
  label: string,
): T & { readonly externalUrl: string; readonly internalUrl: string } {
  const { id, name = id, labels = [] } = wildcard
  const internalUrl = Array.isArray(labels)
    ? wildcard.internalUrl!.replace(TEMPLATE_LABEL, label)
    : (labels as Readonly<Record<string, string>>)[label]!
  return {
    ...wildcard,
    ...(id !== undefined && { id: `${id}/${label}`, name: `${name} (${label})` }),
    externalUrl: wildcard.externalUrl!.replace('*', label),
    internalUrl,
  }
}

/** The external URLs of an application, however many it has; of a faulty one there are none. */
export function externalUrlsOf(application: WildcardPart): readonly string[] {
  const { externalUrl } = application
  if (externalUrl === undefined) return []
  if (!isWildcard(externalUrl)) return [externalUrl]
  if (wildcardUrlFault(externalUrl) !== undefined) return []
  return labelsOf(application).map((label) => externalUrl.replace('*', label))
}

/** What one of its labels has for URLs, to be looked at as any application's are. */
export function sampleOf<T extends WildcardPart>(application: T): T {
  if (!isWildcard(application.externalUrl)) return application
  const { externalUrl, internalUrl, labels } = application
  const inside = Array.isArray(labels) ? [internalUrl] : Object.values(labels ?? {})
  const [sound] = inside.filter((url) => url !== undefined && innerFault(url) === undefined)
  const isSound = wildcardUrlFault(externalUrl!) === undefined
  return {
    ...application,
    externalUrl: isSound ? externalUrl!.replace('*', 'label') : undefined,
    internalUrl: sound?.replace(TEMPLATE_LABEL, 'label'),
  }
}

const TEMPLATE_LABEL = '{label}'

const innerFault = (url: string) => (url.includes('{') ? templateFault(url) : internalUrlFault(url))

/** `path`: of the application. */
export function tellWildcard(application: WildcardPart, path: string, tell: TellMistake): void {
  const { externalUrl, internalUrl, labels } = application
  if (externalUrl === undefined) return
  const at = (name: string) => `${path}.${name}`
  if (!isWildcard(externalUrl)) {
    if (labels !== undefined)
      tell(at('labels'), 'is for wildcards, whose "externalUrl" is as "https://*.apps.example/"')
    if (internalUrl === undefined) tell(at('internalUrl'), 'is needed')
    else if (internalUrl.includes(TEMPLATE_LABEL))
      tell(at('internalUrl'), `has a "${TEMPLATE_LABEL}", and "externalUrl" is no wildcard`)
    return
  }
  tellFault(tell, at('externalUrl'), wildcardUrlFault(externalUrl))
  if (application.signOn?.kind === 'kerberos')
    tell(at('signOn'), 'has one service: publish the application on a host of its own name')
  if (application.bearer?.resource !== undefined)
    tell(at('bearer.resource'), 'is one URL, and each label has another: leave it out')
  if (labels === undefined) return tell(at('labels'), 'is needed by a wildcard')
  const names = labelsOf(application)
  if (names.length === 0) tell(at('labels'), 'has no label')
  if (names.length > MAX_LABELS) tell(at('labels'), `has more than ${MAX_LABELS} labels`)
  const nameAt = (name: string, i: number) =>
    Array.isArray(labels) ? `${at('labels')}[${i}]` : `${at('labels')}.${name}`
  names.forEach((name, i) => {
    if (!LABEL.test(name)) tell(nameAt(name, i), LABEL_FAULT)
    else if (names.indexOf(name) < i) tell(nameAt(name, i), 'is not unique')
  })
  if (Array.isArray(labels))
    return internalUrl === undefined
      ? tell(at('internalUrl'), `is needed, with "${TEMPLATE_LABEL}" where each label goes`)
      : tellFault(tell, at('internalUrl'), templateFault(internalUrl))
  if (internalUrl !== undefined)
    tell(at('internalUrl'), 'is not used: each of "labels" has its own')
  for (const [name, url] of Object.entries(labels as Readonly<Record<string, string>>))
    tellFault(
      tell,
      `${at('labels')}.${name}`,
      url.includes('{') ? 'must be the URL itself' : internalUrlFault(url),
    )
}

const LABEL_FAULT =
  'must be one label of a host name: lower-case letters, digits and inner hyphens, 63 at the most, and no "xn--"'

/** `https://*.apps.example/`: the first label whole, and what follows is one owner's. */
export function wildcardUrlFault(url: string): string | undefined {
  const suffix = /^[a-z]+:\/\/\*\.([^/*:]+)(?::\d+)?\/[^*]*$/i.exec(url)?.[1]
  if (suffix === undefined) return 'must have its "*" as the whole first label of its host'
  return externalUrlFault(url.replace('*', 'label')) ?? suffixFault(suffix)
}

/** `https://{label}.corp.internal/`: nobody but the operator says what is behind the label. */
function templateFault(url: string): string | undefined {
  const suffix = /^[a-z]+:\/\/\{label\}\.([^/{}:]+)(?::\d+)?\/[^{}]*$/i.exec(url)?.[1]
  if (suffix === undefined)
    return `must have "${TEMPLATE_LABEL}" as the whole first label of its host, once`
  return internalUrlFault(url.replace(TEMPLATE_LABEL, 'label')) ?? suffixFault(suffix)
}

/** Below a public suffix (`com`, `co.uk`, `github.io`) hosts belong to many. */
function suffixFault(written: string): string | undefined {
  const suffix = canonicalHost(written)
  const { domain, isIp } = parse(suffix ?? '', { allowPrivateDomains: true })
  if (isIp === true || domain === null)
    return 'must have a domain of your own behind its first label, of two labels at least'
  return undefined
}

/** Hosts where both would be asked: `*.apps.example` for a wildcard. Undefined: it is faulty. */
export function placeHostOf(externalUrl: string): string | undefined {
  if (!isWildcard(externalUrl))
    return externalUrlFault(externalUrl) === undefined
      ? canonicalHost(new URL(externalUrl).host)
      : undefined
  if (wildcardUrlFault(externalUrl) !== undefined) return undefined
  const probe = canonicalHost(new URL(externalUrl.replace('*', 'label')).host)!
  return probe.replace(/^label/, '*')
}
