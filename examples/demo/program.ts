/**
 * What a program shows instead of a session: an access token that it gets at the issuer by itself.
 */
import { writePrivate } from './configurations.ts'
import type { DemoRobot } from './report.ts'

/** Tokens last ten minutes. */
const RENEW_MS = 5 * 60 * 1000

export interface AuthorizationOptions {
  readonly issuer: string
  readonly robot: DemoRobot
  /** The application that the token is for. */
  readonly resource: string
  readonly file: string
}

/**
 * Writes a header field with a token into `file`, and a new one before the old one ends,
 * so that a command that reads the file can be pasted at any time.
 */
export async function keepAuthorization(options: AuthorizationOptions): Promise<void> {
  const write = async () => {
    const field = `Authorization: Bearer ${await tokenFrom(options)}\n`
    await writePrivate(options.file, field)
  }
  await write()
  // Where the issuer is out for a moment, the next turn brings a token.
  setInterval(() => void write().catch(() => undefined), RENEW_MS).unref()
}

async function tokenFrom({ issuer, robot, resource }: AuthorizationOptions): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${robot.id}:${robot.secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: robot.scope, resource }),
  })
  const tokens = (await response.json()) as { access_token?: string; error?: string }
  if (tokens.access_token === undefined) throw new Error(`the issuer refused: ${tokens.error}`)
  return tokens.access_token
}
