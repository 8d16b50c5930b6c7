/**
 * Segments of an application as an operator writes them, and as they are in force.
 *
 * @see docs/publishing.md, "Segments"
 * @module
 */
import * as v from 'valibot'
import type { TellMistake } from '../../runtime/configuration-mistakes.ts'
import { ApplicationPolicy, type AccessRules } from '../rules/access-policy.ts'
import { userNameFault } from '../rules/user-names.ts'
import { text, texts, tellFault } from './configuration-values.ts'
import type { Application, ApplicationSegment } from './directory-port.ts'
import { isSamePath, segmentFault } from './segments.ts'

/** More than that are applications of their own. */
const MAX_SEGMENTS = 100

const SegmentConfiguration = v.strictObject({
  path: text,
  preAuthentication: v.optional(v.picklist(['oidc', 'passthrough']), 'oidc'),
  assigned: v.optional(
    v.union([
      v.literal('everyone'),
      v.strictObject({
        users: v.optional(texts, []),
        groups: v.optional(texts, []),
        roles: v.optional(texts, []),
      }),
    ]),
  ),
  policies: v.optional(v.array(ApplicationPolicy)),
})
export const SegmentsConfiguration = v.pipe(
  v.array(SegmentConfiguration),
  v.maxLength(MAX_SEGMENTS),
)
type Segment = v.InferOutput<typeof SegmentConfiguration>

/** As much of a segment as its schema takes. */
export type SegmentPart = Partial<Segment>

/** Segments as they are in force. `access`: the conditional access of each that has its own. */
export function readSegments(
  segments: readonly Segment[],
  access: (i: number) => AccessRules | undefined,
): readonly ApplicationSegment[] {
  return segments.map(({ path, preAuthentication, assigned }, i) => {
    const rules = access(i)
    return {
      path,
      preAuthentication,
      ...(assigned && { assigned }),
      ...(rules && { access: rules }),
    }
  })
}

/** What of an application matters here, as far as it is known. */
interface SegmentedPart {
  readonly externalUrl?: string | undefined
  readonly signOn?: { readonly kind?: string; readonly verify?: boolean | undefined } | undefined
  readonly segments?: readonly (SegmentPart | undefined)[] | undefined
}

/** Tells what a schema cannot say. */
export function tellSegments(
  { externalUrl, signOn, segments = [] }: SegmentedPart,
  assignsNames: boolean,
  at: string,
  tell: TellMistake,
): void {
  const isKnown = externalUrl !== undefined && URL.canParse(externalUrl)
  const base = isKnown ? new URL(externalUrl).pathname : '/'
  const sound: string[] = []
  for (const [i, segment] of segments.entries()) {
    const { path, preAuthentication, assigned, policies } = segment ?? {}
    const where = `${at}[${i}]`
    const fault = path === undefined ? undefined : segmentFault(path, base)
    tellFault(tell, `${where}.path`, fault)
    if (path !== undefined && fault === undefined) {
      if (sound.some((other) => isSamePath(other, path)))
        tell(`${where}.path`, 'is one already, for some server')
      sound.push(path)
    }
    if (typeof assigned === 'object')
      for (const [u, name] of (assigned.users ?? []).entries())
        tellFault(tell, `${where}.assigned.users[${u}]`, userNameFault(name, assignsNames))
    if (preAuthentication !== 'passthrough') continue
    const meaningless = 'has no meaning with "passthrough": nobody signs in'
    if (assigned !== undefined) tell(`${where}.assigned`, meaningless)
    if (policies !== undefined) tell(`${where}.policies`, meaningless)
    if (signOn?.kind !== undefined && !isForNobody(signOn))
      tell(
        `${where}.preAuthentication`,
        `cannot be "passthrough" with "signOn" of kind "${signOn.kind}": it signs on whoever asks, or nobody`,
      )
  }
}

/** The kinds that tell an application nothing where nobody is signed in. */
const isForNobody = ({
  kind,
  verify,
}: {
  readonly kind?: string
  readonly verify?: boolean | undefined
}) => kind === 'headers' || (kind === 'assertion' && verify !== true)

/**
 * What is wrong with the segments of a directory that nobody has checked, in words; `undefined`:
 * nothing.
 */
export function segmentsFault({ externalUrl, segments = [] }: Application): string | undefined {
  const base = new URL(externalUrl).pathname
  for (const [i, { path, preAuthentication }] of segments.entries()) {
    const fault = typeof path === 'string' ? segmentFault(path, base) : 'must be a path'
    if (fault !== undefined) return `[${i}].path: ${fault}`
    if (segments.slice(0, i).some((other) => isSamePath(other.path, path)))
      return `[${i}].path: is one already, for some server`
    if (preAuthentication !== 'oidc' && preAuthentication !== 'passthrough')
      return `[${i}].preAuthentication: must be "oidc" or "passthrough"`
  }
  return undefined
}
