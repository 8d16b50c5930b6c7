/**
 * A whole connector on Node: {@link startConnector}, and the ports that it brings: identities in
 * files, control calls over HTTPS, applications over HTTP/1.1.
 *
 * Importing it has two global effects: that of `app-proxy/connector`, and that of `undici`, whose
 * dispatcher answers the runtime's own `fetch` too, where nothing was fetched before.
 *
 * @module
 */
export { startConnector } from './start-connector.ts'
export { type ConnectorOptions, type RunningConnector } from './connector-options.ts'
export { type RegistrationProof } from '../enrolment.ts'
export {
  checkConnector,
  type ConnectorCheckOptions,
  type ConnectorFinding,
} from './connector-check.ts'
export { connectorKeyThumbprint, type KeyThumbprintOptions } from './key-thumbprint.ts'
export { type ConnectorStats, type LinkStats } from './connector-stats.ts'
export { proxyFromEnvironment, type ProxyOptions } from './proxy-settings.ts'
export { proxyDial } from './proxy-dial.ts'
export { type Dial, type DialTarget } from './own-dial.ts'
export { type ConnectorEvent, type Explained, type TriedEvent } from './connector-events.ts'
export { type OnError, type PortFailure } from '../../runtime/containment.ts'
export {
  type Mistake,
  type MistakeEvent,
  type MistakeKind,
  type MistakePlace,
} from './told-mistakes.ts'
export { type CloudTrust } from './tls-options.ts'
export { type CertificateInput } from '../../runtime/certificates.ts'

// Readiness and figures
export { ConnectorFigures } from './connector-figures.ts'
export {
  Health,
  type HealthAnswer,
  type HealthCheck,
  type HealthOptions,
} from '../../runtime/health.ts'
export { createHealthListener, healthHandler } from '../../runtime/node/health-handler.ts'

// Sign-on
export { type PinnedKeys } from './pinned-keys.ts'
export { SignOnFile, type SignOnFileEvent, type SignOnFileOptions } from './sign-on-file.ts'

// Ports
export { FileIdentityStore, type FileIdentityStoreOptions } from './file-identity-store.ts'
export { HttpsControlChannel, type HttpsControlChannelOptions } from './control-channel.ts'
export { NodeBackend } from './node-backend.ts'
export { HttpBackend } from './http-backend.ts'
export { UndiciBackend } from './undici-backend.ts'
export { type ApplicationConnectionOptions } from './application-connections.ts'
export { lockStateDirectory, type StateLock } from '../../runtime/node/state-lock.ts'
export {
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
  type PrivateFileOptions,
} from '../../runtime/node/private-files.ts'
