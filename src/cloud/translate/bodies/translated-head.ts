/**
 * Whether the body of an answer is translated, which its head and its request's say; and what then
 * becomes of the head.
 *
 * @see docs/translation.md; RFC 9110, sections 8.4, 8.6, 8.8.3 and 14; RFC 9111, section 5.2.2.6
 * @module
 */
import { headerValues, isNamed, type HeaderList } from '../../../protocol/internal.ts'
import { isReadable } from './charset.ts'
import { soleCoding } from './content-codings.ts'
import type { TranslatedTags } from './entity-tags.ts'
import { hasHashes } from './html-tags.ts'

/** What of a request says how its answer is treated. */
export interface TranslatedRequest {
  readonly headers: HeaderList
  /** `Sec-Fetch-Dest`; undefined: nobody said it. */
  readonly destination: string | undefined
  /** The application's tags that this request names by ours. */
  readonly tags: ReadonlySet<string>
}

/** How a body is translated. */
export interface BodyPlan {
  readonly kind: 'html' | 'css' | 'text'
  /** `identity`: it has none. */
  readonly coding: string
  /** Its `Content-Type` says the charset. */
  readonly isCharsetKnown: boolean
  /** A policy names hashes: style sheets within the document are left alone. */
  readonly hasHashes: boolean
}

/** What an answer is judged by. */
export interface BodyRules {
  /** Media types that are translated as text, and style sheets wherever they go. */
  readonly mediaTypes: readonly string[]
  /** Codings that can be opened. */
  readonly codings: readonly string[]
}

/** How the body of an answer is translated; undefined: it is not. */
export function bodyPlan(
  status: number,
  headers: HeaderList,
  { destination }: TranslatedRequest,
  { mediaTypes, codings }: BodyRules,
): BodyPlan | undefined {
  if (UNTOUCHED.has(status) || status < 200) return undefined
  const type = contentType(headerValues(headers, 'content-type'))
  const kind = type && kindOf(type.mediaType, mediaTypes)
  if (type === undefined || kind === undefined) return undefined
  // Whoever asked for these may compare them with what it knows.
  const isCompared = destination !== undefined && COMPARED.has(destination)
  if (isCompared && !mediaTypes.includes(type.mediaType)) return undefined
  if (type.charset !== undefined && !isReadable(type.charset)) return undefined
  const coding = soleCoding(headerValues(headers, 'content-encoding'))
  if (coding === undefined || (coding !== 'identity' && !codings.includes(coding))) return undefined
  if (isNotTransformed(headers) || isFile(headers)) return undefined
  return {
    kind,
    coding,
    isCharsetKnown: type.charset !== undefined,
    hasHashes: POLICIES.some((name) => headerValues(headers, name).some(hasHashes)),
  }
}

/** The head of a translated body: without what was true of the other octets alone. */
export function translatedHead(headers: HeaderList, tags: TranslatedTags): HeaderList {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (OF_OCTETS.some((one) => isNamed(name, one))) continue
    const value = isNamed(name, 'etag') ? tags.outward(headers[i + 1]!) : headers[i + 1]!
    if (value !== undefined) kept.push(name, value)
  }
  return kept
}

/** A 304 about octets that its user has from here is about them. */
export function isAboutTranslated(
  status: number,
  headers: HeaderList,
  { tags }: TranslatedRequest,
): boolean {
  if (status !== 304 || tags.size === 0) return false
  const [tag = ''] = headerValues(headers, 'etag')
  return [...tags].some((one) => withoutWeakness(one) === withoutWeakness(tag.trim()))
}

/** Whether a message says that nobody may change what it carries. */
export function isNotTransformed(headers: HeaderList): boolean {
  return headerValues(headers, 'cache-control').some((value) =>
    /(?:^|,)[ \t]*no-transform[ \t]*(?:,|$)/i.test(value),
  )
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

/** What is saved is somebody's file, and stays as it was stored. */
function isFile(headers: HeaderList): boolean {
  return headerValues(headers, 'content-disposition').some((value) =>
    /^[ \t]*attachment[ \t]*(?:;|$)/i.test(value),
  )
}

function kindOf(mediaType: string, listed: readonly string[]): BodyPlan['kind'] | undefined {
  if (mediaType === 'text/html') return 'html'
  if (mediaType === 'text/css') return 'css'
  return listed.includes(mediaType) ? 'text' : undefined
}

interface ContentType {
  readonly mediaType: string
  readonly charset: string | undefined
}

/** Undefined: it is said twice, or not so that it can be read. */
function contentType(values: readonly string[]): ContentType | undefined {
  const match = values.length === 1 ? MEDIA_TYPE.exec(values[0]!) : null
  if (match === null) return undefined
  const [, mediaType, parameters] = match
  const charset = /(?:^|;)[ \t]*charset=(?:"((?:[^"\\]|\\.)*)"|([^;"]*))/i.exec(parameters!)
  return { mediaType: mediaType!.toLowerCase(), charset: charset?.[1] ?? charset?.[2]?.trim() }
}

const MEDIA_TYPE = /^[ \t]*([!#$%&'*+.^_`|~\w-]+\/[!#$%&'*+.^_`|~\w-]+)[ \t]*(?:;(.*)|())$/

/** No content, or a part of one: parts are of the application's octets, and their tags as well. */
const UNTOUCHED: ReadonlySet<number> = new Set([204, 205, 206, 226, 304])
/** Destinations of what a page may name with a hash of its octets, or what runs as it is. */
const COMPARED: ReadonlySet<string> = new Set([
  ...['audioworklet', 'json', 'paintworklet', 'script', 'serviceworker', 'sharedworker', 'style'],
  ...['worker', 'xslt'],
])
const POLICIES = ['content-security-policy', 'content-security-policy-report-only']
const OF_OCTETS = [
  ...['accept-ranges', 'content-digest', 'content-length', 'content-md5', 'digest', 'repr-digest'],
]
