export * from './lmdb-registry.ts'
export * from './lmdb-revocations.ts'
