/**
 * The admin API: what an operator sees and does, over HTTP or by calls.
 *
 * @module
 */
export { createAdminApi, type AdminApi, type AdminApiOptions } from '../cloud-admin.ts'
export { type AuthorityChoice, type AuthorityService } from './authority-service.ts'
export { openConfigurationVersions, type VersionsOptions } from '../cloud-versions.ts'
export { ConfigurationVersions } from '../versions/configuration-versions.ts'
export { type ConfigurationChange, type FieldChange } from '../versions/configuration-changes.ts'
export {
  createMemoryConfigurationStore,
  type ConfigurationStore,
  type VersionHead,
  type VersionMaker,
} from '../versions/configuration-store.ts'
export { AdminConfiguration, type ConfigurationOrder } from './admin-configuration.ts'
export { type AdminCaller, type AdminRole } from './admin-caller.ts'
export { type AdminHandler, type AdminRequestInfo } from './admin-handler.ts'
export {
  AdminService,
  type ConnectorChange,
  type ConnectorChoice,
  type TicketWish,
} from './admin-service.ts'
export {
  type OtherInstances,
  type PassedOver,
  type QueueCount,
  type QueuedApplication,
  type QueuedLink,
} from '../offers/counted-queues.ts'
export { type PairHealth } from '../../protocol/internal.ts'
export { type AdminAccess } from './admin-tokens.ts'
export {
  type ApplicationHealthView,
  type ApplicationView,
  type AuthorityView,
  type AppliedView,
  type ConfigurationChangesView,
  type ConfigurationMistakesView,
  type ConfigurationView,
  type ConnectorView,
  type GroupView,
  type HealthView,
  type InstanceView,
  type KnownInstanceView,
  type MeView,
  type NewTicketView,
  type RemainingConnector,
  type QueueView,
  type SessionView,
  type TicketView,
  type VersionView,
} from './admin-views.ts'
