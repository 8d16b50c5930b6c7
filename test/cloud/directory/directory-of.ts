import {
  createDirectory,
  type ConfiguredDirectory,
} from '../../../src/cloud/directory/directory.ts'
import { readDirectory } from '../../../src/cloud/directory/directory-configuration.ts'

/** A directory of whatever a test writes, as out of a file. */
export const directoryOf = (written: unknown): ConfiguredDirectory =>
  createDirectory(readDirectory(written))
