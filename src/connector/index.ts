/**
 * The connector: enrolment, identity, configuration, application details. Runtime-neutral.
 *
 * @module
 */
export * from './application-cache.ts'
export * from './configuration-keeper.ts'
export * from './enrolment.ts'
export * from './environment.ts'
export * from './memory-identity-store.ts'
export * from './ports.ts'
export type { Clocks } from '../runtime/clocks.ts'
export type { CryptoProvider } from '../runtime/crypto-provider.ts'
export type { Scheduler } from '../runtime/scheduler.ts'
export * from './backend.ts'
export { ForwardingBackend, ForwardingBackendCall } from './forwarding-backend.ts'
export { containedBackend } from './contained-backend.ts'
export { Containment, type OnError, type PortFailure } from '../runtime/containment.ts'
export type {
  ExchangeEnding,
  ExchangeMoment,
  ExchangeObserver,
} from '../runtime/exchange-observer.ts'
export * from './link-dialer.ts'
export * from './worker.ts'
export * from './cloud-link.ts'
export * from './offer-slots.ts'
export * from './claim-line.ts'
export * from './origin-lines.ts'
