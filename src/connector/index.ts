/**
 * The connector on any runtime: enrolment, identity, configuration, and the worker that serves
 * offers. A whole one on Node is `startConnector` of `app-proxy/connector/node`; this is what it is
 * made of, and the ports it takes.
 *
 * Importing it has one global effect: the certificate library brings `reflect-metadata`, which adds
 * to `Reflect`, and `tslib`, whose build for Node leaves its helpers (`__extends` and others).
 *
 * @module
 */

// Ports
export {
  type ConnectorEnvironment,
  type ConnectorIdentity,
  type ControlCall,
  type ControlChannel,
  type IdentifiedCall,
  type IdentityStore,
  type StoredIdentities,
} from './ports.ts'
export { systemEnvironment } from './environment.ts'
export { type Clocks } from '../runtime/clocks.ts'
export { type Scheduler } from '../runtime/scheduler.ts'
export { type CryptoProvider } from '../runtime/crypto-provider.ts'
export { type OnError, type PortFailure } from '../runtime/containment.ts'
export {
  type ExchangeEnding,
  type ExchangeMoment,
  type ExchangeObserver,
} from '../runtime/exchange-observer.ts'

// Settings
export { checkConfiguration } from '../runtime/check-configuration.ts'
export { type ConfigurationSource } from '../runtime/configuration-mistakes.ts'
export { parseJson } from '../runtime/json-text.ts'

// Applications
export { type ApplicationTls, type ApplicationTlsOf } from './application-tls.ts'
export {
  type Backend,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from './backend.ts'
export {
  ForwardingBackend,
  ForwardingBackendCall,
  type BackendCommand,
  type BackendEvent,
} from './forwarding-backend.ts'
export { assertionSignOn, type AssertionSignOnOptions } from './sign-on/assertion-sign-on.ts'
export { type Preparation, type SignOn } from './sign-on/sign-on.ts'
export { SignOnBackend, type SignOnBackendOptions } from './sign-on/sign-on-backend.ts'

export {
  injectSignOn,
  type InjectSignOnOptions,
  type SecretSource,
  type SecretWanted,
} from './inject/inject-sign-on.ts'
export {
  type BasicSecret,
  type BearerSecret,
  type HeaderSecret,
  type InjectedSecret,
  type SecretPlaces,
} from './inject/injected-secret.ts'

// Identity and configuration
export { register, type RegisterOptions, type RegistrationProof } from './enrolment.ts'
export { MemoryIdentityStore, type MemoryIdentityStoreOptions } from './memory-identity-store.ts'
export {
  ConfigurationKeeper,
  type ConfigurationKeeperOptions,
  type KeeperEvent,
} from './configuration-keeper.ts'
export { ApplicationCache, type ApplicationCacheOptions } from './application-cache.ts'

// Offers
export {
  Worker,
  type Applications,
  type Carrier,
  type ClaimedJob,
  type ClaimTerms,
  type WorkerOptions,
} from './worker.ts'
export { CloudLink, type CloudLinkEvents, type CloudLinkOptions } from './cloud-link.ts'
export { LinkDriver, type LinkChannel, type LinkDriverOptions } from '../runtime/link-driver.ts'
export {
  LinkDialer,
  type CloudConnection,
  type DialEvents,
  type LinkDialerOptions,
} from './link-dialer.ts'
export { OfferSlots, SlotShares, type SlotHolder } from './offer-slots.ts'
export { type OriginLineLimits } from '../protocol/machines/origin-line.ts'
export { OriginLines, type ClaimConnection, type OriginLinesOptions } from './origin-lines.ts'
export { type ClaimLine, type LineTerms, type OfferHome, type Origins } from './claim-line.ts'
