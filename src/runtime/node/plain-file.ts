/**
 * Files without secrets, which an operator names.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'

/** @throws ConfigurationInvalid when there is none that can be read */
export function readPlainFile(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const { code = '' } = cause
    throw new ConfigurationInvalid(path, UNREADABLE[code] ?? `cannot be read (${code})`, { cause })
  })
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'is not a file',
  EACCES: 'may not be read by this process',
}
