/**
 * An application as an operator writes it.
 *
 * @module
 */
import * as v from 'valibot'
import type { Gapped } from '../../runtime/check-configuration.ts'
import { ANSWER_FAULTS } from '../../protocol/internal.ts'
import { BearerConfiguration } from './bearer-configuration.ts'
import { ClientConfiguration, readClient } from './client-configuration.ts'
import { id, text, texts } from './configuration-values.ts'
import { IdentityHeaderConfiguration } from './identity-headers.ts'
import { contentVersion } from './content-version.ts'
import { CorsConfiguration } from './cors-configuration.ts'
import { ApplicationPolicy, type AccessRules } from '../rules/access-policy.ts'
import type { Application } from './directory-port.ts'
import { readSignOn, SignOnConfiguration } from './sign-on-configuration.ts'
import { SessionLifetimeConfiguration } from './session-configuration.ts'
import { ApplicationLimitsConfiguration } from './application-limits.ts'
import { MaintenanceConfiguration } from './maintenance.ts'
import { RatesConfiguration } from './rates.ts'
import { readSegments, SegmentsConfiguration, type SegmentPart } from './segment-configuration.ts'
import { TranslateConfiguration } from './translate-configuration.ts'
import { LabelsConfiguration, type WildcardLabel } from './wildcard.ts'

const published = {
  id,
  name: v.optional(text),
  tenantId: v.optional(id),
  groupId: id,
  externalUrl: text,
  internalUrl: v.optional(text),
  labels: v.optional(LabelsConfiguration),
  cors: v.optional(CorsConfiguration),
  needs: v.optional(
    v.array(v.pipe(v.string(), v.regex(/^[\w./-]{1,64}$/, 'is no name of a feature'))),
  ),
  signOn: v.optional(SignOnConfiguration),
  hostHeader: v.optional(v.picklist(['internal', 'external']), 'internal'),
  verifyCertificate: v.optional(v.boolean(), true),
  translate: v.optional(TranslateConfiguration),
  backendProtocol: v.optional(v.picklist(['http1', 'h2', 'h2c', 'auto'])),
  responseHeadMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  grpcHeadMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  maintenance: v.optional(MaintenanceConfiguration),
  limits: v.optional(ApplicationLimitsConfiguration),
  rates: RatesConfiguration,
  lenient: v.optional(v.pipe(v.array(v.picklist(ANSWER_FAULTS)), v.minLength(1))),
}

const SignInApplication = v.strictObject({
  ...published,
  preAuthentication: v.literal('oidc'),
  client: ClientConfiguration,
  assigned: v.optional(
    v.strictObject({
      users: v.optional(texts, []),
      groups: v.optional(texts, []),
      roles: v.optional(texts, []),
    }),
  ),
  policies: v.optional(v.array(ApplicationPolicy)),
  segments: v.optional(SegmentsConfiguration),
  identityHeaders: v.optional(v.record(v.string(), IdentityHeaderConfiguration), {}),
  session: v.optional(
    v.strictObject({
      sameSite: v.optional(v.picklist(['lax', 'none']), 'lax'),
      lifetime: SessionLifetimeConfiguration,
    }),
  ),
  embedding: v.optional(
    v.strictObject({
      ancestors: v.pipe(texts, v.minLength(1)),
      partitioned: v.optional(v.boolean(), false),
    }),
  ),
  responseMode: v.optional(v.picklist(['query', 'form_post'])),
  callback: v.optional(v.picklist(['host', 'serviceHost'])),
  allowedOrigins: v.optional(texts),
  bearer: v.optional(BearerConfiguration),
})

const PassthroughApplication = v.strictObject({
  ...published,
  preAuthentication: v.literal('passthrough'),
})

export const ApplicationConfiguration = v.variant('preAuthentication', [
  SignInApplication,
  PassthroughApplication,
])

/** An application with its defaults filled in. */
export type CheckedApplication = v.InferOutput<typeof ApplicationConfiguration>
type SignIn = v.InferOutput<typeof SignInApplication>

/** As much of an application as its schema takes. */
export type ApplicationPart = Partial<
  Omit<SignIn, 'preAuthentication' | 'policies' | 'segments'>
> & {
  readonly preAuthentication?: 'oidc' | 'passthrough'
  readonly segments?: Gapped<SegmentPart> | undefined
  readonly policies?: Gapped<ApplicationPolicy> | undefined
}

/** One that has one external and one internal URL. */
export type ConcreteApplication = CheckedApplication & { readonly internalUrl: string }

/**
 * An application as the cloud knows it. `accessOf`: its conditional access, and what a segment has
 * of its own; `tenant`: its own; `headMs`: its `responseHeadMs` where it names none; `wildcard`:
 * which label of which it is.
 */
export function readApplication(
  application: ConcreteApplication,
  accessOf: (segment?: number) => AccessRules | undefined,
  tenant: { readonly id: string; readonly issuer: string },
  headMs: number,
  wildcard?: WildcardLabel,
): Application {
  const signIn = application.preAuthentication === 'oidc' ? application : undefined
  const { assigned, allowedOrigins } = signIn ?? {}
  const { id, name = id, externalUrl, internalUrl, cors, needs, translate } = application
  const { maintenance, limits, lenient, grpcHeadMs } = application
  const { signOn, identityHeaders, account } = readSignOn(
    application.signOn,
    signIn?.identityHeaders,
  )
  const backendProtocol = backendProtocolOf(application.backendProtocol)
  const { groupId, preAuthentication, hostHeader, verifyCertificate } = application
  const { responseHeadMs = headMs } = application
  const complete = {
    ...{ id, name, groupId, preAuthentication, hostHeader, verifyCertificate, responseHeadMs },
    identityHeaders,
    tenantId: tenant.id,
    // From here on all comparisons are of canonical forms.
    externalUrl: new URL(externalUrl).href,
    internalUrl: new URL(internalUrl).href,
    ...(assigned && { assigned }),
    ...(allowedOrigins && { allowedOrigins }),
    ...(needs && { needs }),
    ...(backendProtocol && { backendProtocol }),
    ...(signOn && { signOn }),
    ...(limits && { limits }),
    ...(lenient && { lenient: [...new Set(lenient)] }),
  }
  // Connectors see the version: neither secrets nor policies may go into it.
  const version = contentVersion({ ...complete, client: signIn?.client.id })
  const edge = {
    ...(cors && { cors }),
    ...(maintenance && { maintenance }),
    ...(grpcHeadMs && { grpcHeadMs }),
    ...(translate && { translate }),
    ...(account && { account }),
    ...(wildcard && { wildcard }),
    version,
  }
  if (signIn === undefined) return { ...complete, ...edge }
  const { client, bearer, responseMode, session, embedding, segments = [] } = signIn
  const access = accessOf()
  const { callback = wildcard ? 'serviceHost' : 'host' } = signIn
  return {
    ...complete,
    ...edge,
    issuer: tenant.issuer,
    client: readClient(client),
    ...(bearer && { bearer }),
    ...(responseMode && { responseMode }),
    ...(callback === 'serviceHost' && { callback }),
    ...(session && { session }),
    ...(embedding && { embedding }),
    ...(access && { access }),
    ...(segments.length > 0 && { segments: readSegments(segments, accessOf) }),
  }
}

function backendProtocolOf(written: CheckedApplication['backendProtocol']) {
  return written === 'http1' ? undefined : written
}
