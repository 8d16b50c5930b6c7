/**
 * The cloud on Node: listeners for users and for connectors, handlers for a server of one's own,
 * and its keys and audit events in files.
 *
 * @module
 */

// Users
export { type ProxyProtocol } from './proxied-connections.ts'
export {
  createUserListener,
  userHandler,
  userUpgradeHandler,
  type UserEdge,
  type UserListenerOptions,
} from './user-listener.ts'
export {
  createAdminListener,
  SOCKET_PATH_OCTETS,
  type AdminListener,
  type AdminListenerOptions,
} from './admin-listener.ts'
export { openLocalToken } from './local-token.ts'
export { type CertificateFor } from './user-certificates.ts'
export { type Http2Limits } from './http2-sessions.ts'
export { type UploadLimits } from './http2-windows.ts'
export { type LingerLimits } from './lingering-close.ts'
export { NodeUserExchange, type NodeUserExchangeOptions } from './user-exchange.ts'

// Connectors
export {
  createConnectorListener,
  type ConnectorListener,
  type ConnectorListenerOptions,
} from './connector-listener.ts'
export { type ServerCredentials } from '../../runtime/node/server-credentials.ts'
export { type CertificateInput, type KeyInput } from '../../runtime/certificates.ts'

// Bodies
export { nodeContentCodings } from './content-codings.ts'

// Readiness and figures
export { CloudFigures, type CloudFiguresOptions } from '../cloud-figures.ts'
export {
  Health,
  type HealthAnswer,
  type HealthCheck,
  type HealthOptions,
} from '../../runtime/health.ts'
export { createHealthListener, healthHandler } from '../../runtime/node/health-handler.ts'

// Files
export { auditFile, auditStream, type AuditFile, type AuditFileOptions } from './audit-file.ts'
export {
  openCertificateDirectory,
  type CertificateDirectory,
  type CertificateDirectoryOptions,
} from './certificate-directory.ts'
export { authorityFile } from './authority-files.ts'
export { assertionKeyFile, keyRingFile } from './key-ring-file.ts'
export { lockStateDirectory, type StateLock } from '../../runtime/node/state-lock.ts'
export {
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
  type PrivateFileOptions,
} from '../../runtime/node/private-files.ts'
