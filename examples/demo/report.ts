/**
 * What the demo says when it is ready: a table for people, or one line for programs.
 */
import type { Binding } from 'app-proxy/protocol'
import type { DemoApplication } from './configurations.ts'

export interface DemoUser {
  readonly username: string
  readonly password: string
  /** The second factor. */
  readonly pin?: string
}

export interface Ready {
  readonly applications: readonly DemoApplication[]
  /** The first may use what is behind sign-in, the second may not, the third not the vault. */
  readonly users: readonly DemoUser[]
  readonly issuer: string
  readonly connectorUrl: string
  /** How the connector reached each cloud instance. */
  readonly bindings: Readonly<Record<string, Binding>>
  /** PEM: the authority of the connector listener, and of the user listener with `--https`. */
  readonly caFile: string
  readonly stateDir: string
}

const BINDINGS: Readonly<Record<Binding, string>> = {
  link: 'link: one framed connection',
  plain: 'plain: HTTP calls, without WebSockets',
}

/** User by user. */
const BECOMES = [
  'is assigned, and let in',
  'is not assigned, and refused',
  'is assigned, and kept out of the vault',
]

export function jsonReport({ applications, ...rest }: Ready): string {
  const shown = applications.map(({ id, externalUrl, preAuthentication }) => ({
    id,
    externalUrl,
    preAuthentication,
  }))
  return JSON.stringify({ applications: shown, ...rest })
}

export function tableReport(ready: Ready, isTemporary: boolean): string {
  const { applications, users, issuer, connectorUrl, bindings, caFile, stateDir } = ready
  const isHttps = applications[0]!.externalUrl.startsWith('https:')
  const browse = applications.map(({ externalUrl, preAuthentication, policies }) => [
    externalUrl,
    preAuthentication === 'passthrough'
      ? 'open to everyone'
      : policies === undefined
        ? 'behind sign-in'
        : 'behind sign-in with the PIN as well',
  ])
  const signIn = users.map(({ username, password, pin }, i) => [
    ...[username, password, pin === undefined ? '' : `PIN ${pin}`],
    BECOMES[i]!,
  ])
  const under = [
    ['issuer', issuer],
    ['connectors dial', connectorUrl],
    [
      'the demo’s came by',
      [...new Set(Object.values(bindings))].map((one) => BINDINGS[one]).join(),
    ],
    ['state and logs', `${stateDir}${isTemporary ? ' (removed at the end)' : ''}`],
    ['users come by', isHttps ? `TLS; trust ${caFile}` : 'plain HTTP; --https for TLS'],
  ]
  return [
    ...['Browse', table(browse)],
    ...['Sign in as', table(signIn)],
    ...['Underneath', table(under)],
    'Ctrl-C ends it.',
  ].join('\n\n')
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (row: readonly string[]) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('   ')
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join('\n')
}
