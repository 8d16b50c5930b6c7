/**
 * What a cloud must remember beyond its process, in LMDB files. Needs the optional peer `lmdb`.
 *
 * @module
 */
export {
  openLmdbConfigurationStore,
  type LmdbConfigurationStore,
  type LmdbConfigurationStoreOptions,
} from './lmdb-configuration-store.ts'
export { openLmdbRegistry, type LmdbRegistry, type LmdbRegistryOptions } from './lmdb-registry.ts'
export {
  openLmdbRevocations,
  type LmdbRevocations,
  type LmdbRevocationsOptions,
} from './lmdb-revocations.ts'
export {
  openLmdbSessionGrants,
  type LmdbSessionGrants,
  type LmdbSessionGrantsOptions,
} from './lmdb-session-grants.ts'
export {
  openLmdbSpentCodes,
  type LmdbSpentCodes,
  type LmdbSpentCodesOptions,
} from './lmdb-spent-codes.ts'
export { checkLmdbFiles } from './sound-file.ts'
