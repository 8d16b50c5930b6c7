/**
 * The token by which whoever is at the machine operates the service: 256 random bits in a file that
 * only its owner may read.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto'
import { ConfigurationInvalid } from '../../protocol/wire/errors.ts'
import { createPrivateFile, readPrivateFile } from '../../runtime/node/private-files.ts'

/**
 * The SHA-256 of the local token, hexadecimal: `access.localTokenHash` of the admin API. Makes the
 * token where there is none, in a file of mode 0600; the process keeps its hash alone.
 *
 * @throws ConfigurationInvalid when others can read or replace the file, or it holds something else
 */
export async function openLocalToken(path: string): Promise<string> {
  const token = (await readToken(path)) ?? (await makeToken(path))
  return createHash('sha256').update(token).digest('hex')
}

async function readToken(path: string): Promise<string | undefined> {
  const text = (await readPrivateFile(path))?.trim()
  if (text !== undefined && !/^[A-Za-z0-9_-]{43}$/.test(text))
    throw new ConfigurationInvalid(path, 'holds no local token: remove it, and one is made')
  return text
}

async function makeToken(path: string): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  try {
    await createPrivateFile(path, `${token}\n`)
    return token
  } catch (error) {
    // Another process was first.
    const other = await readToken(path)
    if (other === undefined) throw error
    return other
  }
}
