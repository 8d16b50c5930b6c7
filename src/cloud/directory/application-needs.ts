/**
 * Which features a connector must have named, to be offered an application's requests.
 *
 * A connector ignores the keys that it does not know. So a key never restricts: a setting that a
 * connector has to honour is a feature, and only who named that feature is offered the application.
 * The table has a row for every setting there is; a setting without one does not compile.
 *
 * @see spec/PROTOCOL.md, "Features"
 * @module
 */
import { HTTP2, LENIENT_PREFIX } from '../../protocol/internal.ts'
import { limitsNeed } from './application-limits.ts'
import type { Application } from './directory-port.ts'
import { signOnNeeds } from './sign-on-configuration.ts'

/** What a setting needs, when the application has it. */
type Needs<T> = (value: NonNullable<T>) => readonly string[]

const NOTHING: readonly string[] = []
/** It is the cloud's affair, or every connector of version 1 honours it. */
const nothing = (): readonly string[] => NOTHING

const NEEDS: { readonly [K in keyof Application]-?: Needs<Application[K]> } = {
  id: nothing,
  tenantId: nothing,
  groupId: nothing,
  name: nothing,
  version: nothing,
  externalUrl: nothing,
  internalUrl: nothing,
  hostHeader: nothing,
  verifyCertificate: nothing,
  responseHeadMs: nothing,
  grpcHeadMs: nothing,
  preAuthentication: nothing,
  issuer: nothing,
  client: nothing,
  assigned: nothing,
  access: nothing,
  segments: nothing,
  segment: nothing,
  identityHeaders: nothing,
  allowedOrigins: nothing,
  cors: nothing,
  bearer: nothing,
  session: nothing,
  embedding: nothing,
  responseMode: nothing,
  callback: nothing,
  needs: (names) => names,
  signOn: signOnNeeds,
  account: nothing,
  reservedHeaders: nothing,
  maintenance: nothing,
  translate: nothing,
  // What is preferred restricts nobody: another connector speaks HTTP/1.1.
  backendProtocol: (protocol) => (protocol === 'auto' ? NOTHING : [HTTP2]),
  limits: limitsNeed,
  rates: nothing,
  wildcard: nothing,
  lenient: (faults) => faults.map((fault) => `${LENIENT_PREFIX}${fault}`),
}

/** The settings that may need something: connectors are looked at with them all the time. */
const NEEDY = (Object.entries(NEEDS) as [keyof Application, Needs<unknown>][]).filter(
  ([, needs]) => needs !== nothing,
)

/**
 * The features that an application needs, each once. What a request wants beside them, such as
 * another protocol, is said with the request.
 */
export function needsOf(application: Application): readonly string[] {
  const names = new Set<string>()
  for (const [setting, needs] of NEEDY) {
    const value = application[setting]
    if (value !== undefined && value !== null) for (const name of needs(value)) names.add(name)
  }
  return names.size === 0 ? NOTHING : [...names]
}
