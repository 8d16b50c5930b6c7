export * from './lmdb-registry.ts'
export * from './lmdb-revocations.ts'
export * from './lmdb-session-grants.ts'
