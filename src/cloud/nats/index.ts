/**
 * What instances of a cloud share, in NATS. Needs the optional peers `@nats-io/transport-node`,
 * `@nats-io/jetstream` and `@nats-io/kv`.
 *
 * @module
 */
export {
  openNatsConnection,
  type Freshness,
  type NatsAnswer,
  type NatsConnection,
  type NatsMessage,
  type NatsSubscription,
} from './nats-connection.ts'
export { type FreshnessState } from './freshness.ts'
export { type NatsConnectionOptions, type NatsCredentials, type NatsTls } from './nats-options.ts'
export { natsOfferQueue, type NatsOfferQueueOptions } from './nats-offer-queue.ts'
export { createDeploymentKeyFile, DeploymentKeys, deploymentKeyFile } from './deployment-keys.ts'
export {
  NatsRegistry,
  openNatsRegistry,
  type NatsEngineOptions,
  type NatsRegistryOptions,
} from './nats-registry.ts'
export { unsaidChangesFile, type UnsaidChangesStore } from './unsaid-changes.ts'
export {
  NatsRevocations,
  openNatsRevocations,
  type NatsRevocationsOptions,
} from './nats-revocations.ts'
export {
  NatsSessionGrants,
  openNatsSessionGrants,
  type NatsSessionGrantsOptions,
} from './nats-session-grants.ts'
export { openNatsAssertionKeys, openNatsKeyRing } from './nats-key-store.ts'
export {
  openNatsConfigurationStore,
  type NatsConfigurationStore,
} from './nats-configuration-store.ts'
export { openNatsSpentCodes } from './nats-spent-codes.ts'
export { openNatsPresence } from './nats-presence.ts'
