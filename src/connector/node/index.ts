/**
 * The connector's bindings to Node: files, TLS, control calls over HTTPS.
 *
 * @module
 */
export * from './control-channel.ts'
export * from './file-identity-store.ts'
export {
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
  type PrivateFileOptions,
} from '../../runtime/node/private-files.ts'
export * from './tls-options.ts'
export * from './connector.ts'
export type { ConnectorEvent, Explained } from './connector-events.ts'
export type { OnError, PortFailure } from '../../runtime/containment.ts'
export * from './node-backend.ts'
export * from './http-backend.ts'
export * from './undici-backend.ts'
export type { ApplicationConnectionOptions } from './application-connections.ts'
export type { Mistake, MistakeEvent, MistakeKind, MistakePlace } from './told-mistakes.ts'
