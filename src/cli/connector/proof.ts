/**
 * What a connector registers with, read from a file or from stdin: never from an argument or the
 * environment, which others can see.
 */
import { ConfigurationInvalid } from 'app-proxy/protocol'
import { readSecretFile } from '../program/files.ts'
import type { ConnectorRunGiven } from './flags.ts'

/** What it registers with, read once. */
export async function readProof(
  flags: Pick<ConnectorRunGiven, 'token-file' | 'ticket-file'>,
): Promise<{ readonly token?: () => string; readonly ticket?: () => string }> {
  const { 'token-file': tokenFile, 'ticket-file': ticketFile } = flags
  if (tokenFile !== undefined && ticketFile !== undefined)
    throw new ConfigurationInvalid('--ticket-file', 'cannot be combined with --token-file')
  if (ticketFile !== undefined) {
    const ticket = await readSecret(ticketFile, '--ticket-file')
    if (!/^[\w-]{43}$/.test(ticket)) {
      const detail = 'holds no ticket: one is 43 characters of base64url'
      const value = JSON.stringify(ticketFile)
      throw new ConfigurationInvalid([{ path: '--ticket-file', detail, value }])
    }
    return { ticket: () => ticket }
  }
  if (tokenFile === undefined)
    throw new ConfigurationInvalid(
      '--token-file',
      'or --ticket-file is missing: there is no identity in --state-dir yet',
    )
  const token = await readSecret(tokenFile, '--token-file')
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return { token: () => token }
  const detail = 'holds no access token: one is three base64url texts with dots between them'
  throw new ConfigurationInvalid([
    { path: '--token-file', detail, value: JSON.stringify(tokenFile) },
  ])
}

/** A secret is taken only from a file that nobody else can read; or it is piped in. */
async function readSecret(file: string, path: string): Promise<string> {
  const text = file === '-' ? await readStdin() : await readSecretFile(file, { path })
  if (text.trim() === '')
    throw new ConfigurationInvalid([{ path, detail: 'is empty', value: JSON.stringify(file) }])
  return text.trim()
}

/** Whoever pipes a ticket in leaves it in no argument, no environment and no file. */
async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.includes('\n') || text.length > 16_384) break
  }
  return text
}
