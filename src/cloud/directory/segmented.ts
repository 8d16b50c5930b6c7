/**
 * An application as each of its segments has it: its own in everything but who is admitted.
 *
 * @module
 */
import { ConfigurationInvalid } from '../../protocol/internal.ts'
import type { Application, ApplicationSegment } from './directory-port.ts'
import { segmentsFault } from './segment-configuration.ts'

/** What stands for a segment wherever an application is asked for. */
export type SegmentApplication = Application & Required<Pick<Application, 'segment'>>

/**
 * One for each segment. A directory that nobody has checked may say anything: an application with a
 * segment that is none lets nobody in.
 *
 * @throws ConfigurationInvalid
 */
export function segmentedApplications(whole: Application): readonly SegmentApplication[] {
  const fault = segmentsFault(whole)
  if (fault !== undefined) throw new ConfigurationInvalid(`${whole.id}.segments`, fault)
  return whole.segments!.map((segment) => asSegment(whole, segment))
}

/** What it does not say is looked up in the application, whatever object that is. */
function asSegment(whole: Application, segment: ApplicationSegment): SegmentApplication {
  const { path, preAuthentication, access = whole.access } = segment
  const assigned = segment.assigned ?? whole.assigned
  const own: { readonly [K in keyof Application]?: Application[K] | undefined } = {
    preAuthentication,
    assigned: assigned === 'everyone' ? undefined : assigned,
    access,
    segments: undefined,
    segment: { path, of: whole },
  }
  return Object.assign(Object.create(whole) as SegmentApplication, own)
}
