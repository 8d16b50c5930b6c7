import { daysLeft } from '../../runtime/certificates.ts'
import type { InstancePresence } from '../connectors/instance-presence.ts'
import type { Directory } from '../directory/directory-port.ts'
import type { Origin } from '../offers/origin.ts'
import type { ConfigurationVersions } from '../versions/configuration-versions.ts'
import type { InstanceView, KnownInstanceView } from './admin-views.ts'

/** What of an instance is seen. @internal */
export interface SeenInstance {
  readonly directory: Directory
  readonly origin: Pick<Origin, 'counted' | 'instance' | 'open'>
  /** What this instance's listeners show. */
  readonly certificates: Iterable<{ readonly name: string; readonly expiresAt: number }>
  /** Absent: nobody tells it of others. */
  readonly presence?: Pick<InstancePresence, 'known'> | undefined
}

/** What an instance holds itself. */
export function instanceView(
  { origin, certificates, directory }: SeenInstance,
  { inForce, refused }: Partial<ConfigurationVersions['state']>,
  now: number,
): InstanceView {
  const since = directory.inForceSince?.()
  const groups = [...origin.counted().groups.values()]
  return {
    ...{ at: now, instance: origin.instance, open: origin.open },
    waiting: groups.reduce((sum, { waiting }) => sum + waiting, 0),
    certificates: [...certificates].map(({ name, expiresAt }) => ({
      ...{ name, expiresAt, daysLeft: daysLeft(expiresAt, now) },
    })),
    ...(since !== undefined && { configurationAgeMs: Math.max(0, now - since) }),
    ...(inForce !== undefined && { configurationVersion: inForce }),
    ...(refused !== undefined && { configurationRefused: refused }),
  }
}

/** Every instance that is known here, by their ids; this one is, in any case. */
export function knownInstances(
  { origin, presence }: SeenInstance,
  now: number,
): readonly KnownInstanceView[] {
  const known = (presence?.known() ?? []).map((one): KnownInstanceView => ({
    ...one,
    isAsked: one.instance === origin.instance,
    heardAgoMs: Math.max(0, now - one.heardAt),
  }))
  if (known.some(({ isAsked }) => isAsked)) return known
  const groups = [...origin.counted().groups.values()]
  const own: KnownInstanceView = {
    ...{ instance: origin.instance, state: 'serving', isAsked: true },
    links: groups.reduce((sum, { links }) => sum + links, 0),
    ...{ open: origin.open, heardAt: now, heardAgoMs: 0 },
  }
  return [...known, own].sort((one, other) => (one.instance < other.instance ? -1 : 1))
}
