/**
 * Who is let in at sign-in to an application with segments: whoever is admitted to the part that
 * they are on their way to. Where none is known, to any part of it.
 *
 * @module
 */
import { ExchangeFailed, isReserved, readTarget } from '../../protocol/internal.ts'
import type { Application } from '../directory/directory-port.ts'
import { publishedOf } from '../directory/published.ts'

/**
 * The decision of the part that the target lies in; else the first that is no denial, that of the
 * whole before others.
 *
 * @param target where they want to go; undefined: nobody knows
 */
export function decideByPart<D extends { readonly effect: string }>(
  asked: Application,
  target: string | undefined,
  decide: (part: Application) => D,
): D {
  const whole = asked.segment?.of ?? asked
  const published = publishedOf(whole)
  if (!published.isSegmented) return decide(whole)
  const part = target === undefined ? undefined : partAt(whole, target)
  if (part !== undefined) return decide(part)
  const atWhole = decide(whole)
  if (atWhole.effect !== 'deny') return atWhole
  for (const { application } of published.segments.all()) {
    if (application.preAuthentication === 'passthrough') continue
    const decision = decide(application)
    if (decision.effect !== 'deny') return decision
  }
  return atWhole
}

/** Undefined: a path of ours, one where nobody is asked, or one that can be read as several. */
function partAt(whole: Application, target: string): Application | undefined {
  const published = publishedOf(whole)
  try {
    const { path } = readTarget(target, published.host)
    if (isReserved(path)) return undefined
    const { application } = published.at(path)
    return application.preAuthentication === 'passthrough' ? undefined : application
  } catch (error) {
    if (error instanceof ExchangeFailed) return undefined
    throw error
  }
}
