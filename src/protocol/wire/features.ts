/**
 * The features that HELLO, WELCOME and a registration name, and what follows when both ends, or
 * one, name them.
 *
 * An end that does not know a name ignores it. So no key and no element of a frame ever restricts:
 * whatever restricts or identifies is a feature, and an application that needs it is offered only
 * where it is named.
 *
 * @see spec/PROTOCOL.md, "Features"
 * @module
 */

/** The protocol version of every message and of every link. */
export const PROTOCOL_VERSION = 1

/** What a feature means. */
export interface FeatureRule {
  /** Who names it: both ends of a link, the connector alone, or a registration. */
  readonly by: 'both' | 'connector' | 'registration'
  readonly meaning: string
}

/** The name of a feature of version 1; with `*` it stands for all that begin so. */
export type Feature =
  | 'link'
  | 'plain'
  | 'upgrade'
  | 'extensible'
  | 'backend-tls'
  | 'affinity'
  | 'h2'
  | 'enrolment-ticket'
  | 'idle-limits'
  | 'lenient/*'
  | 'sign-on/*'

/** Every feature of version 1. */
export const FEATURES: Readonly<Record<Feature, FeatureRule>> = {
  link: { by: 'both', meaning: 'This is the link binding.' },
  plain: { by: 'both', meaning: 'This is the plain binding.' },
  upgrade: {
    by: 'both',
    meaning:
      'Offers may ask to switch protocols. Without it in HELLO, such an offer goes to another link, or its user gets a 501.',
  },
  extensible: {
    by: 'both',
    meaning:
      'Frames of an unknown type that is ignorable may be sent, once both have named it; without it they are a violation.',
  },
  'backend-tls': {
    by: 'connector',
    meaning:
      'The connector has settings of its own for TLS towards applications: certificates that it shows, authorities, names. An application that must not be called without them lists it in `needs`.',
  },
  affinity: {
    by: 'connector',
    meaning:
      'It keeps connections to applications for one user each, as `affinity` of an OFFER names them. Applications that bind their user to a connection are offered to nobody else.',
  },
  h2: {
    by: 'connector',
    meaning:
      'It speaks HTTP/2 to applications, by TLS and in the clear, with trailers and answers that begin before their request has ended. Applications that want it are offered to nobody else.',
  },
  'enrolment-ticket': {
    by: 'registration',
    meaning:
      'The registration shows a ticket in the place of a token. A cloud that takes none refuses the message.',
  },
  'idle-limits': {
    by: 'connector',
    meaning:
      'It keeps the idle limits that an application’s details name, in the place of its own. Applications that have some are offered to nobody else.',
  },
  'lenient/*': {
    by: 'connector',
    meaning:
      'The connector mends the fault of answers that stands behind the stroke, `lenient/space-before-colon` for example, where an application’s details name it. Applications that need it are offered nowhere else.',
  },
  'sign-on/*': {
    by: 'connector',
    meaning:
      'The connector makes users known to applications in the way that stands behind the stroke, `sign-on/inject` for example. Applications that need it are offered nowhere else.',
  },
}

/** What stands before the kind in the feature of a sign-on that a connector can make. */
export const SIGN_ON_PREFIX = 'sign-on/'

/** What a connector names that has TLS settings of its own for applications. */
export const BACKEND_TLS = 'backend-tls' satisfies Feature

/**
 * Names beginning so mean nothing: they are sent so that an end that fails on what it does not know
 * is found early.
 */
export const GREASE_PREFIX = 'grease-'

/** The position in HELLO and WELCOME that never means anything. What lies between is nil. */
export const GREASE_ELEMENT = 31

/** What a registration names that shows a ticket. */
export const ENROLMENT_TICKET = 'enrolment-ticket' satisfies Feature

/** What a connector names that keeps connections for one user each. */
export const AFFINITY = 'affinity' satisfies Feature

/** What stands before the name of a fault in the feature of mending it. */
export const LENIENT_PREFIX = 'lenient/'

/** What a connector names that keeps an application's own idle limits. */
export const IDLE_LIMITS = 'idle-limits' satisfies Feature

/** What the multiplexed link carries. */
export const LINK_FEATURES: readonly Feature[] = ['link', 'upgrade', 'extensible']

/** What the plain binding carries; an HTTP call cannot switch protocols in its middle. */
export const PLAIN_FEATURES: readonly Feature[] = ['plain']

/** What a connector names that speaks HTTP/2 to applications. */
export const HTTP2 = 'h2' satisfies Feature

/** Whether both ends named a feature. */
export function isAgreed(feature: Feature, own: readonly string[], other: readonly string[]) {
  return own.includes(feature) && other.includes(feature)
}

/** The names of `needs` that `named` lacks: an application is offered only where there is none. */
export function lacking(needs: readonly string[], named: readonly string[]): readonly string[] {
  return needs.filter((name) => !named.includes(name))
}
