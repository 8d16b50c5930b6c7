export * from './lmdb-registry.ts'
