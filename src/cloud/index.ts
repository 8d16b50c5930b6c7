/**
 * The cloud: {@link createCloud} puts it together from ports, and listeners stand on what it gives:
 * those of `app-proxy/cloud/node`, or one's own over {@link UserExchange} and
 * {@link ConnectorLink}.
 *
 * - The assembly, and what is the same everywhere: clocks, timers, keys, whom faults are told
 * - The directory: tenants, groups and applications; the policies of applications, tried out
 * - Connectors: the registry, the authority that certifies, registration and configuration
 * - Users: one request as any HTTP server can present it, sessions, what the service says itself
 * - Offers: the queue between users and connectors, and a connector's link
 * - Audit: whatever happens, as events
 *
 * Importing it has one global effect: the certificate library brings `reflect-metadata`, which adds
 * to `Reflect`, and `tslib`, whose build for Node leaves its helpers (`__extends` and others).
 *
 * @module
 */

// The assembly
export { createCloud, type Cloud, type CloudOptions } from './cloud.ts'
export {
  type ApplicationStats,
  type CertificateStats,
  type CloudStats,
  type GroupStats,
  type MaintenanceStats,
  type ShownCertificate,
} from './stats.ts'
export { type ApplicationCount, type GroupCount } from './offers/counted.ts'
export { type CloudPorts } from './contained-ports.ts'
export { type Containment, type OnError, type PortFailure } from '../runtime/containment.ts'
export {
  type ExchangeEnding,
  type ExchangeMoment,
  type ExchangeObserver,
} from '../runtime/exchange-observer.ts'
export { systemClocks, type Clocks } from '../runtime/clocks.ts'
export { type Scheduler, type Timer } from '../runtime/scheduler.ts'
export { defaultCryptoProvider, type CryptoProvider } from '../runtime/crypto-provider.ts'

// The directory
export { createDirectory, type ConfiguredDirectory } from './directory/directory.ts'
export {
  DirectoryConfiguration,
  readDirectory,
  REGISTRAR_ROLES,
} from './directory/directory-configuration.ts'
export {
  type BrandingInput,
  type ConnectorGroupInput,
  type DirectoryInput,
  type RegistrarsInput,
  type SessionLifetimeInput,
  type TenantInput,
  type TenantSessionInput,
} from './directory/directory-input.ts'
export {
  type ApplicationInput,
  type ApplicationSessionInput,
  type AssignmentInput,
  type BearerInput,
  type AssertionSignOnInput,
  type ConnectionBoundSignOnInput,
  type CorsInput,
  type EmbeddingInput,
  type HeadersSignOnInput,
  type IdentityHeaderFormInput,
  type IdentityHeaderInput,
  type InjectSignOnInput,
  type KerberosSignOnInput,
  type PassthroughApplicationInput,
  type PublishedInput,
  type SignInApplicationInput,
  type SignOnInput,
} from './directory/application-input.ts'
export {
  type ApplicationLimitsInput,
  type RateInput,
  type RatesInput,
  type MaintenanceInput,
  type PublishingInput,
} from './directory/publishing-input.ts'
export { type SegmentInput } from './directory/segment-input.ts'
export { type ApplicationLimits } from './directory/application-limits.ts'
export { type AlarmThresholds } from './connectors/connector-alarms.ts'
export { type ApplicationRates, type Rates } from './directory/rates.ts'
export { type Rate } from '../runtime/paced-rate.ts'
export { type Maintenance } from './directory/maintenance.ts'
export {
  type AccountLetterCase,
  type AccountMappingInput,
  type ClaimAccountInput,
  type TemplateAccountInput,
  type UserPartAccountInput,
} from './directory/account-mapping-input.ts'
export {
  type ClaimPathInput,
  type ClientInput,
  type IssuerClaimsInput,
  type IssuerInput,
  type PrivateKeyInput,
} from './directory/issuer-input.ts'
export { checkConfiguration } from '../runtime/check-configuration.ts'
export { type ConfigurationSource } from '../runtime/configuration-mistakes.ts'
export { parseJson } from '../runtime/json-text.ts'
export {
  type Application,
  type ApplicationSegment,
  type ConnectorGroup,
  type Directory,
  type Embedding,
  type Tenant,
} from './directory/directory-port.ts'
export { type Bearer } from './directory/bearer-configuration.ts'
export { type Translate } from './directory/translate-configuration.ts'
export { type WildcardLabel } from './directory/wildcard.ts'
export { type TranslateCookiesInput, type TranslateInput } from './directory/translate-input.ts'
export {
  type ClientAuthenticationMethod,
  type ClientCredentials,
} from './directory/client-configuration.ts'
export { type Cors } from './directory/cors-configuration.ts'
export {
  USUAL_ISSUER,
  type ClaimPath,
  type IssuerProfile,
} from './directory/issuer-configuration.ts'
export { type ContextsParameter } from './rules/step-up.ts'
export { type SessionLifetime } from './directory/session-configuration.ts'
export {
  HEADER_ENCODINGS,
  IDENTITY_CLAIMS,
  type HeaderEncoding,
  type IdentityClaim,
  type IdentityHeader,
  type IdentityHeaderForm,
} from './rules/identity-claims.ts'

// Conditional access
export {
  RISK_LEVELS,
  WEEKDAYS,
  type AccessRule,
  type AccessRules,
  type RiskLevel,
} from './rules/access-policy.ts'
export {
  type AccessPolicyInput,
  type AllowPolicyInput,
  type ApplicationPolicyInput,
  type AuthenticationInput,
  type ConditionsInput,
  type DenyPolicyInput,
  type ForApplicationsInput,
  type FromInput,
  type MethodsInput,
  type NamedLocationInput,
  type PolicyInput,
  type StepUpInput,
  type StepUpPolicyInput,
  type TimeWindowInput,
  type WhoInput,
} from './rules/access-policy-input.ts'
export { isNetwork } from './rules/network.ts'
export { type AccessDenial, type MatchedPolicy } from './rules/decide-access.ts'
export {
  type Locate,
  type Place,
  type RiskAssessment,
  type RiskAssessor,
  type RiskQuery,
} from './policy/risk.ts'
export { SignInRisk, type RiskReason, type SignInRiskOptions } from './policy/sign-in-risk.ts'
export { type TrustedProxies } from './policy/client-address.ts'
export { type ClaimOfCase, type PolicyCase, type PolicyCaseUser } from './policy-case.ts'
export { readPolicyCases, testPolicies, type PolicyTestResult } from './policy-trial.ts'

// Connectors
export {
  type ConnectorRegistry,
  type ExpiredConnectors,
  type RecordChange,
  type StandingChange,
  type KeyRegistration,
  type Registered,
  type RegistrationOrder,
  type RegistryChange,
  type RenewalOrder,
  type TicketRegistration,
  type TokenRegistration,
} from './connectors/connector-registry.ts'
export {
  connectorTag,
  type CertificateRecord,
  type ConnectorRecord,
  type ConnectorStanding,
  type EnrolledBy,
} from './connectors/connector-records.ts'
export {
  EnrolmentTickets,
  type EnrolmentTicket,
  type EnrolmentTicketOptions,
  type EnrolmentTicketsOptions,
  type OpenTicket,
} from './connectors/enrolment-tickets.ts'
export {
  type ExpiredTickets,
  type TicketChoice,
  type TicketMaker,
  type TicketOrder,
  type TicketRecord,
} from './connectors/enrolment-ticket-rows.ts'
export { type VerifiedRegistrar } from './connectors/registrar-token.ts'
export { type CertificateInput, type KeyInput } from '../runtime/certificates.ts'
export { type RegistrarIdentity } from '../protocol/machines/certification.ts'
export { type LinksFate } from '../protocol/machines/connector-record.ts'
export { createMemoryRegistry } from './connectors/memory-registry.ts'
export {
  TransactionalRegistry,
  type RegistryRows,
  type RegistryStore,
  type RegistryTable,
  type RegistryTables,
  type SpentToken,
} from './connectors/transactional-registry.ts'
export { type Registration, type RegistrationContext } from './connectors/registration-service.ts'
export { type ConfigurationService, type Configured } from './connectors/configuration-service.ts'
export {
  type CheckedLeaf,
  type ConnectorCertificates,
  type IdentifiedConnector,
} from './connectors/connector-certificate.ts'
export {
  createCertificateAuthority,
  type CertificateAuthority,
  type IssuedCertificate,
  type IssueOptions,
} from './authority/certificate-authority.ts'
export {
  createServerAuthority,
  type ServerAuthority,
  type ServerCertificate,
  type ServerCertificateOptions,
} from './authority/server-certificate.ts'
export {
  type AuthorityOptions,
  type AuthorityStore,
  type LoadedAuthority,
  type StoredAuthority,
  type StoredLeavingRoot,
} from './authority/authority-root.ts'
export {
  type AuthorityRoll,
  type RollState,
  type RollView,
  type RootView,
} from './authority/authority-roll.ts'
export { type LeafIdentity } from './authority/leaf-profile.ts'

// Users
export { type Edge, type RequestLimits } from './edge/edge.ts'
export { type UnreadRequest } from './edge/failure-audit.ts'
export {
  type UserEvents,
  type UserConnection,
  type BrokenOff,
  type UserExchange,
  type UserRequestHead,
} from './request/user-exchange.ts'
export { ForwardingUserExchange } from './request/forwarding-user-exchange.ts'
export {
  fetchHandler,
  type FetchHandler,
  type FetchHandlerOptions,
  type FetchRequestInfo,
  type FetchTunnel,
} from './fetch/fetch-handler.ts'
export { type Caller } from './identity/caller.ts'
export { type KeptClaims } from './rules/named.ts'
export { type Session, type Sessions, type StartedSession } from './session/session.ts'
export { type ClaimValue, type SignInIdentity } from '../protocol/machines/sign-in.ts'
export {
  KeyRing,
  type KeyRingOptions,
  type KeyRingStore,
  type SealingKey,
} from './session/key-ring.ts'
export { type KeptKey, type KeyStore } from './session/kept-keys.ts'
export {
  AssertionKeys,
  type AssertionKey,
  type AssertionKeysOptions,
  type AssertionKeyStore,
} from './sign-on/assertion-keys.ts'
export { type AssertionSigner } from './sign-on/assertion-signer.ts'
export {
  type ContentCoder,
  type ContentCoderOutput,
  type ContentCodings,
} from './translate/bodies/content-codings.ts'
export {
  MemoryRevocations,
  type MemoryRevocationsOptions,
  type Revocation,
  type SessionRevocations,
} from './session/session-revocations.ts'
export {
  MemorySessionGrants,
  type KeptGrant,
  type MemorySessionGrantsOptions,
  type SessionGrants,
  type VersionedGrant,
} from './session/session-grants.ts'
export { type SpentCodes } from './session/spent-codes.ts'
export { CALLBACK_PATH } from './sign-in/parties.ts'
export { SIGNED_OUT_PATH } from './sign-out/sign-out.ts'
export { SIGN_OUT_PATH } from './sign-out/token-hint.ts'
export { BACK_CHANNEL_LOGOUT_PATH } from './sign-out/sign-out-paths.ts'
export { OTHER_ACCOUNT_PATH, WINDOW_PATH } from './pages/return-target.ts'
export { type SignInSource } from '../protocol/machines/sign-in-denials.ts'
export { type Action, type Branding, type Failure, type PageScript } from './pages/answer.ts'
export { type PageRenderer } from './pages/pages.ts'
export { escape, renderPage, type Page, type RenderedPage } from './pages/template.ts'

// Offers
export { type Origin } from './offers/origin.ts'
export { ConnectorLink, type ConnectorLinkEvents } from './offers/connector-link.ts'
export { LinkDriver, type LinkChannel, type LinkDriverOptions } from '../runtime/link-driver.ts'
export { type OfferLink } from './offers/offer-link.ts'
export { type Claimer } from './offers/submission.ts'
export { type AttemptOutcome, type HealthOutcome } from '../protocol/machines/dispatch-values.ts'
export { MemoryOfferQueue } from './offers/memory-offer-queue.ts'
export { MemoryPresence } from './connectors/memory-presence.ts'
export {
  type InstanceNotice,
  type InstancePresence,
  type KnownInstance,
} from './connectors/instance-presence.ts'
export {
  type OfferEnvelope,
  type OfferHealth,
  type OfferOutcome,
  type OfferPresence,
  type OfferQueue,
  type OfferReceipt,
  type OfferReceiver,
} from './offers/offer-queue.ts'
export { idsOf, tenantKey, type TenantKey } from './directory/tenant-key.ts'

// Audit
export { type AuditSink } from './audit/audit-sink.ts'
export {
  filterAudit,
  identifiedAudit,
  jsonLinesAudit,
  memoryAudit,
  queuedAudit,
  teeAudit,
  type JsonLinesOptions,
  type QueuedAudit,
  type QueuedAuditOptions,
} from './audit/audit.ts'
export {
  AUDIT_EVENTS,
  AUDIT_VERSION,
  type AuditEvent,
  type AuditEventKind,
  type AuditEventOf,
  type AuditEventType,
  type AuditFields,
  type AuditOutcome,
  type AuditRecord,
  type AuditSeverity,
  type OcsfKind,
} from './audit/audit-events.ts'
export { OCSF_VERSION, toOcsf, type OcsfEvent } from './audit/audit-ocsf.ts'
