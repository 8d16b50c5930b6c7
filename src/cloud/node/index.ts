export * from './key-ring-file.ts'
export {
  preparePrivateDirectory,
  readPrivateFile,
  replacePrivateFile,
  type PrivateFileOptions,
} from '../../runtime/node/private-files.ts'
export * from './audit-file.ts'
export * from './authority-files.ts'
export * from './connector-listener.ts'
export { HandshakeExchange } from './handshake-exchange.ts'
export { Http2UserExchange, http2RequestHead } from './http2-user-exchange.ts'
export type { Http2Limits } from './http2-sessions.ts'
export type { LingerLimits } from './lingering-close.ts'
export { NodeUserExchange, type NodeUserExchangeOptions } from './user-exchange.ts'
export * from './user-listener.ts'
