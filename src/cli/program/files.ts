/**
 * Files that a person wrote for a program.
 */
import { readFile } from 'node:fs/promises'
import { parseJson } from 'app-proxy/connector'
import { readPrivateFile } from 'app-proxy/connector/node'
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { withoutComments } from './json-comments.ts'
import { named, type Setting } from './mistakes.ts'

/**
 * The text of a file that only its owner may read, for it may hold secrets; where it is mounted
 * into a container, it is a link.
 *
 * @param setting what names the file
 * @throws ConfigurationInvalid
 */
export function readSecretFile(path: string, setting: Setting): Promise<string> {
  return named(setting, async () => {
    const text = await readPrivateFile(path, { mayBeLink: true })
    if (text === undefined) throw new ConfigurationInvalid(path, 'there is no such file')
    return text
  })
}

/** The same as JSON, in which there may be comments. */
export async function readSecretJson(path: string, setting: Setting): Promise<unknown> {
  return parseJson(withoutComments(await readSecretFile(path, setting)), path)
}

/**
 * The octets of a file without secrets.
 *
 * @param setting what names the file
 * @throws ConfigurationInvalid
 */
export function readPlainFile(path: string, setting: Setting): Promise<Buffer> {
  return named(setting, () =>
    readFile(path).catch((cause: NodeJS.ErrnoException) => {
      const { code = '' } = cause
      throw new ConfigurationInvalid(path, UNREADABLE[code] ?? `cannot be read (${code})`, {
        cause,
      })
    }),
  )
}

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'is not a file',
  EACCES: 'may not be read by this process',
}
